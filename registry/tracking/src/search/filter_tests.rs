mod soup;

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::testing::TestRow;
use super::{
    Attribute, CLAUSES_MAX, DATASETS_MAX, DatasetFilter, Entity, FILTER_BYTES_MAX, Filter, IS_PROMPT_TAG,
    LIST_ITEMS_MAX, SearchError,
};

const ENTITIES: [Entity; 5] =
    [Entity::Experiments, Entity::Runs, Entity::LoggedModels, Entity::RegisteredModels, Entity::ModelVersions];

/// Each filter, and what became of it.
fn check(entity: Entity, filters: &[&str], expected: &Expect) {
    let mut text = String::new();
    for filter in filters {
        let _ = writeln!(text, "{}", filter.trim());
        match Filter::parse(entity, filter) {
            Ok(filter) => {
                for clause in filter.clauses() {
                    let _ = writeln!(text, "    {:?} {:?}", clause.field, clause.test);
                }
            }
            Err(error) => {
                let _ = writeln!(text, "  ! {error}");
            }
        }
    }
    expected.assert_eq(&text);
}

#[test]
fn filters_of_runs() {
    check(
        Entity::Runs,
        &[
            "",
            "  \n ",
            "metrics.loss < 0.5",
            "metric.loss<=-1.5e-3 and METRICS.x > .5",
            "metrics.a.b.c >= 1 AND metrics.`a b/c` != 2 AND metrics.\"d-e\" = 3.",
            "params.lr = '0.1' and param.lr != \"0.1\" and parameter.x like 'a%' and parameters.y ILIKE 'B_'",
            "tags.mlflow.source.name = 'x' AND tag.`mlflow.note` IS NULL AND tags.a is  not\tnull",
            "status = 'FINISHED' AND attributes.run_name != 'it''s' AND attr.user_id = \"it's\" AND run.artifact_uri LIKE '%\\'%'",
            "`status` = 'x' and attributes.`Run name` = 'y' and \"created\" > 5",
            "start_time > 1664067852747 AND end_time<=1664067852747",
            "run_id IN ('b', \"a\",) AND run_id NOT IN ('C')",
            "datasets.name = 'mnist' AND dataset.digest IN ('a') and datasets.context ilike 'train%'",
            "params.2fold = '织机' and metrics.0.5 > 1 and params.π = 'C:\\'",
        ],
        &expect![[r#"


            metrics.loss < 0.5
                Metric("loss") Less(0.5)
            metric.loss<=-1.5e-3 and METRICS.x > .5
              ! Invalid entity type 'METRICS'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']
            metrics.a.b.c >= 1 AND metrics.`a b/c` != 2 AND metrics."d-e" = 3.
                Metric("a.b.c") AtLeast(1.0)
                Metric("a b/c") NotEqual(2.0)
                Metric("d-e") Equal(3.0)
            params.lr = '0.1' and param.lr != "0.1" and parameter.x like 'a%' and parameters.y ILIKE 'B_'
                Param("lr") Is("0.1")
                Param("lr") IsNot("0.1")
                Param("x") Like("a%")
                Param("y") Like(any case of "B_")
            tags.mlflow.source.name = 'x' AND tag.`mlflow.note` IS NULL AND tags.a is  not	null
                Tag("mlflow.source.name") Is("x")
                Tag("mlflow.note") Absent
                Tag("a") Present
            status = 'FINISHED' AND attributes.run_name != 'it''s' AND attr.user_id = "it's" AND run.artifact_uri LIKE '%\'%'
                Attribute(Status) Is("FINISHED")
                Attribute(RunName) IsNot("it''s")
                Attribute(UserId) Is("it's")
                Attribute(ArtifactUri) Like("%\\'%")
            `status` = 'x' and attributes.`Run name` = 'y' and "created" > 5
                Attribute(Status) Is("x")
                Attribute(RunName) Is("y")
                Attribute(StartTime) Greater(5.0)
            start_time > 1664067852747 AND end_time<=1664067852747
                Attribute(StartTime) Greater(1664067852747.0)
                Attribute(EndTime) AtMost(1664067852747.0)
            run_id IN ('b', "a",) AND run_id NOT IN ('C')
                Attribute(RunId) OneOf(["a", "b"])
                Attribute(RunId) NoneOf(["C"])
            datasets.name = 'mnist' AND dataset.digest IN ('a') and datasets.context ilike 'train%'
                Dataset(Name) Is("mnist")
                Dataset(Digest) OneOf(["a"])
                Dataset(Context) Like(any case of "train%")
            params.2fold = '织机' and metrics.0.5 > 1 and params.π = 'C:\'
                Param("2fold") Is("织机")
                Metric("0.5") Greater(1.0)
                Param("π") Is("C:\\")
        "#]],
    );
}

#[test]
fn filters_of_runs_that_are_refused() {
    check(
        Entity::Runs,
        &[
            "metrics.loss",
            "metrics.loss <",
            "metrics.loss < AND params.a = 'b'",
            "metrics.loss < 'a'",
            "metrics.loss < nan",
            "metrics.loss < 1 OR metrics.loss > 2",
            "metrics.loss < 1 metrics.acc > 2",
            "metrics.loss < 1 AND",
            "AND metrics.loss < 1",
            "metrics.loss < 1 AND AND metrics.acc > 2",
            "(metrics.loss < 1)",
            "NOT metrics.loss < 1",
            "metrics.loss < 1; params.a = 'b'",
            "metrics.loss < 1;",
            "metrics.loss < 1 -- rest",
            "metrics.loss == 1",
            "metrics.loss <> 1",
            "metrics.loss LIKE 'a'",
            "metrics.loss BETWEEN 1 AND 2",
            "metrics.loss IS NULL",
            "metrics.loss < 1.2.3",
            "metrics.loss < 1abc",
            "metrics. loss < 1",
            "metrics.a.\"b c\" < 1",
            "metrics.learning-rate < 1",
            "metric.a/b < 1",
            "1 < metrics.loss",
            "'a' = params.a",
            "params.a = b",
            "params.a = `b`",
            "params.a = 1",
            "params.a > 'b'",
            "params.a = ('b')",
            "params.a IN ('b')",
            "params.a NOT LIKE 'b'",
            "params.a = 'b",
            "tags.\"a = 'b'",
            "tags.a = 'b' AND 'c'",
            "trait.a = 'b'",
            "foo = 'b'",
            "attributes.foo = 'b'",
            "attributes.a.b = 'c'",
            "start_time > 'today'",
            "start_time LIKE 5",
            "start_time IN (5)",
            "status = READY",
            "status IS NOT NULL",
            "status IN ('FINISHED')",
            "run_id IN 'a'",
            "run_id IN ()",
            "run_id IN (,)",
            "run_id IN ('a' 'b')",
            "run_id IN ('a',, 'b')",
            "run_id IN (1, 2)",
            "run_id IN ('a'",
            "run_id IN (('a'))",
            "run_id NOT 'a'",
            "run_id IS 'a'",
            "datasets.schema = 'a'",
            "datasets.name = 5",
            "datasets.name > 'a'",
            "datasets.name IS NULL",
            "😀 = 'a'",
            "params.😀 = 'a'",
            "`` = 'a'",
        ],
        &expect![[r#"
            metrics.loss
              ! Invalid clause(s) in filter string: 'metrics.loss'
            metrics.loss <
              ! Invalid comparison clause. Expected 3 tokens found 2
            metrics.loss < AND params.a = 'b'
              ! Invalid comparison clause. Expected 3 tokens found 2
            metrics.loss < 'a'
              ! Expected numeric value type for metric. Found 'a'
            metrics.loss < nan
              ! Expected numeric value type for metric. Found nan
            metrics.loss < 1 OR metrics.loss > 2
              ! Invalid clause(s) in filter string: 'OR metrics.loss > 2'
            metrics.loss < 1 metrics.acc > 2
              ! Invalid clause(s) in filter string: 'metrics.acc > 2'
            metrics.loss < 1 AND
              ! Invalid clause(s) in filter string: 'AND'
            AND metrics.loss < 1
              ! Invalid clause(s) in filter string: 'AND metrics.loss < 1'
            metrics.loss < 1 AND AND metrics.acc > 2
              ! Invalid clause(s) in filter string: 'AND metrics.acc > 2'
            (metrics.loss < 1)
              ! Invalid clause(s) in filter string: '(metrics.loss < 1)'
            NOT metrics.loss < 1
              ! Invalid clause(s) in filter string: 'NOT metrics.loss < 1'
            metrics.loss < 1; params.a = 'b'
              ! Search filter contained multiple expression 'metrics.loss < 1; params.a = 'b''. Provide AND-ed expression list.
            metrics.loss < 1;
              ! Invalid clause(s) in filter string: ';'
            metrics.loss < 1 -- rest
              ! Invalid clause(s) in filter string: '-- rest'
            metrics.loss == 1
              ! Invalid comparator '==' not one of '{'!=', '<', '<=', '=', '>', '>='}'
            metrics.loss <> 1
              ! Invalid comparator '<>' not one of '{'!=', '<', '<=', '=', '>', '>='}'
            metrics.loss LIKE 'a'
              ! Expected numeric value type for metric. Found 'a'
            metrics.loss BETWEEN 1 AND 2
              ! Invalid clause(s) in filter string: 'metrics.loss BETWEEN 1'
            metrics.loss IS NULL
              ! IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'loss'
            metrics.loss < 1.2.3
              ! Expected numeric value type for metric. Found 1
            metrics.loss < 1abc
              ! Expected numeric value type for metric. Found 1abc
            metrics. loss < 1
              ! Invalid clause(s) in filter string: 'metrics. loss < 1'
            metrics.a."b c" < 1
              ! Invalid clause(s) in filter string: 'metrics.a."b c"'. A key is quoted as a whole, or not at all.
            metrics.learning-rate < 1
              ! Invalid clause(s) in filter string: 'metrics.learning-rate < 1'. A key with other characters than letters, digits, '_' and '.' needs backticks.
            metric.a/b < 1
              ! Invalid clause(s) in filter string: 'metric.a/b < 1'. A key with other characters than letters, digits, '_' and '.' needs backticks.
            1 < metrics.loss
              ! Invalid comparison clause. Expected 'Identifier' found '1'
            'a' = params.a
              ! Invalid comparison clause. Expected 'Identifier' found ''a''
            params.a = b
              ! Parameter value is either not quoted or unidentified quote types used for string value b. Use either single or double quotes.
            params.a = `b`
              ! Parameter value is either not quoted or unidentified quote types used for string value `b`. Use either single or double quotes.
            params.a = 1
              ! Expected a quoted string value for parameter (e.g. 'my-value'). Got value 1
            params.a > 'b'
              ! Invalid comparator '>' not one of '{'!=', '=', 'ILIKE', 'IS NOT NULL', 'IS NULL', 'LIKE'}'
            params.a = ('b')
              ! Expected a quoted string value for parameter (e.g. 'my-value'). Got value ('b')
            params.a IN ('b')
              ! Expected a quoted string value for parameter (e.g. 'my-value'). Got value ('b')
            params.a NOT LIKE 'b'
              ! Invalid comparator 'NOT LIKE' not one of '{'!=', '=', 'ILIKE', 'IS NOT NULL', 'IS NULL', 'LIKE'}'
            params.a = 'b
              ! Invalid clause(s) in filter string: ''b'. A quote in it is never closed.
            tags."a = 'b'
              ! Invalid clause(s) in filter string: '"a = 'b''. A quote in it is never closed.
            tags.a = 'b' AND 'c'
              ! Invalid comparison clause. Expected 'Identifier' found ''c''
            trait.a = 'b'
              ! Invalid entity type 'trait'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']
            foo = 'b'
              ! Invalid attribute key 'foo' specified. Valid keys are '{'Created', 'Run Name', 'Run name', 'artifact_uri', 'created', 'end_time', 'run name', 'run_id', 'run_name', 'start_time', 'status', 'user_id'}'
            attributes.foo = 'b'
              ! Invalid attribute key 'foo' specified. Valid keys are '{'Created', 'Run Name', 'Run name', 'artifact_uri', 'created', 'end_time', 'run name', 'run_id', 'run_name', 'start_time', 'status', 'user_id'}'
            attributes.a.b = 'c'
              ! Invalid attribute key 'a.b' specified. Valid keys are '{'Created', 'Run Name', 'Run name', 'artifact_uri', 'created', 'end_time', 'run name', 'run_id', 'run_name', 'start_time', 'status', 'user_id'}'
            start_time > 'today'
              ! Expected numeric value type for numeric attribute: start_time. Found 'today'
            start_time LIKE 5
              ! Invalid comparator 'LIKE' not one of '{'!=', '<', '<=', '=', '>', '>='}'
            start_time IN (5)
              ! While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list: 5
            status = READY
              ! Parameter value is either not quoted or unidentified quote types used for string value READY. Use either single or double quotes.
            status IS NOT NULL
              ! IS NULL / IS NOT NULL is only supported for tags and params, not for 'attribute' 'status'
            status IN ('FINISHED')
              ! Only the 'run_id' attribute supports comparison with a list of quoted string values.
            run_id IN 'a'
              ! Expected a list of quoted string values after IN. Got value 'a'
            run_id IN ()
              ! While parsing a list in the query, expected a non-empty list of string values, but got empty list
            run_id IN (,)
              ! While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.
            run_id IN ('a' 'b')
              ! While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.
            run_id IN ('a',, 'b')
              ! While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.
            run_id IN (1, 2)
              ! While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list: 1
            run_id IN ('a'
              ! While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.
            run_id IN (('a'))
              ! While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.
            run_id NOT 'a'
              ! Invalid clause(s) in filter string: 'run_id NOT 'a''
            run_id IS 'a'
              ! Invalid clause(s) in filter string: 'run_id IS 'a''
            datasets.schema = 'a'
              ! Invalid dataset key 'schema' specified. Valid keys are '{'context', 'digest', 'name'}'
            datasets.name = 5
              ! Expected a quoted string value for dataset attributes. Got value 5
            datasets.name > 'a'
              ! Invalid comparator '>' not one of '{'!=', '=', 'ILIKE', 'IN', 'LIKE', 'NOT IN'}'
            datasets.name IS NULL
              ! IS NULL / IS NOT NULL is only supported for tags and params, not for 'dataset' 'name'
            😀 = 'a'
              ! Invalid clause(s) in filter string: '😀 = 'a''
            params.😀 = 'a'
              ! Invalid clause(s) in filter string: 'params.😀 = 'a''
            `` = 'a'
              ! Invalid attribute key '' specified. Valid keys are '{'Created', 'Run Name', 'Run name', 'artifact_uri', 'created', 'end_time', 'run name', 'run_id', 'run_name', 'start_time', 'status', 'user_id'}'
        "#]],
    );
}

#[test]
fn filters_of_experiments() {
    check(
        Entity::Experiments,
        &[
            "name = 'a' AND attribute.name ILIKE '%a%' AND creation_time >= 5 AND last_update_time != 6",
            "tags.a = 'b' AND tag.`c` IS NULL",
            "name IN ('a')",
            "name > 'a'",
            "name IS NULL",
            "creation_time LIKE 5",
            "creation_time > 'a'",
            "experiment_id = '0'",
            "attributes.name = 'a'",
            "metrics.a > 1",
            "tags.a > 'b'",
        ],
        &expect![[r#"
            name = 'a' AND attribute.name ILIKE '%a%' AND creation_time >= 5 AND last_update_time != 6
                Attribute(Name) Is("a")
                Attribute(Name) Like(any case of "%a%")
                Attribute(CreationTime) AtLeast(5.0)
                Attribute(LastUpdateTime) NotEqual(6.0)
            tags.a = 'b' AND tag.`c` IS NULL
                Tag("a") Is("b")
                Tag("c") Absent
            name IN ('a')
              ! Only the 'run_id' attribute supports comparison with a list of quoted string values.
            name > 'a'
              ! Invalid comparator for string attribute: >. Valid comparators are {'!=', '=', 'ILIKE', 'LIKE'}
            name IS NULL
              ! IS NULL / IS NOT NULL is only supported for tags, not for 'attribute' 'name'
            creation_time LIKE 5
              ! Invalid comparator for numeric attribute: LIKE. Valid comparators are {'!=', '<', '<=', '=', '>', '>='}
            creation_time > 'a'
              ! Expected numeric value type for numeric attribute: creation_time. Found 'a'
            experiment_id = '0'
              ! Invalid attribute key 'experiment_id' specified. Valid keys are '{'creation_time', 'last_update_time', 'name'}'
            attributes.name = 'a'
              ! Invalid entity type 'attributes'. Valid entity types are ('attribute', 'tag', 'tags')
            metrics.a > 1
              ! Invalid entity type 'metrics'. Valid entity types are ('attribute', 'tag', 'tags')
            tags.a > 'b'
              ! Invalid comparator for tag: >. Valid comparators are {'!=', '=', 'ILIKE', 'IS NOT NULL', 'IS NULL', 'LIKE'}
        "#]],
    );
}

#[test]
fn filters_of_registered_models() {
    check(
        Entity::RegisteredModels,
        &[
            "name = 'a' and name LIKE 'a%' and tags.x != 'y' AND tag.`mlflow.prompt.is_prompt` != 'true'",
            "tags.`mlflow.prompt.is_prompt` = 'TRUE'",
            "name IN ('a')",
            "run_id = 'a'",
            "tags.x IS NULL",
            "tags.x > 'y'",
            "name > 'a'",
            "params.a = 'b'",
            "name = 'a' OR name = 'b'",
            "name == 'a'",
        ],
        &expect![[r#"
            name = 'a' and name LIKE 'a%' and tags.x != 'y' AND tag.`mlflow.prompt.is_prompt` != 'true'
                Attribute(Name) Is("a")
                Attribute(Name) Like("a%")
                Tag("x") IsNot("y")
            tags.`mlflow.prompt.is_prompt` = 'TRUE'
                Tag("mlflow.prompt.is_prompt") Is("TRUE")
            name IN ('a')
              ! Only the 'run_id' attribute supports comparison with a list of quoted string values.
            run_id = 'a'
              ! Invalid attribute key 'run_id' specified. Valid keys are '{'name'}'
            tags.x IS NULL
              ! IS NULL / IS NOT NULL is only supported for tags of runs and experiments, and params of runs, not for 'tag' 'x'
            tags.x > 'y'
              ! Invalid comparator for tag: >. Valid comparators are {'!=', '=', 'ILIKE', 'LIKE'}
            name > 'a'
              ! Invalid comparator for attribute: >. Valid comparators are {'!=', '=', 'ILIKE', 'LIKE'}
            params.a = 'b'
              ! Invalid entity type 'params'. Valid entity types are ('attribute', 'tag', 'tags')
            name = 'a' OR name = 'b'
              ! Invalid clause(s) in filter string: 'OR name = 'b''
            name == 'a'
              ! Invalid comparator for attribute: ==. Valid comparators are {'!=', '=', 'ILIKE', 'LIKE'}
        "#]],
    );
}

#[test]
fn filters_of_model_versions() {
    check(
        Entity::ModelVersions,
        &[
            "name = 'a' AND version_number > 3 AND run_id IN ('b','a') AND source_path ILIKE '%S3%' AND attribute.run_id != 'x'",
            "tags.`x y` = 'z'",
            "version_number = '3'",
            "version_number = 'three'",
            "version_number LIKE 3",
            "run_id NOT IN ('a')",
            "name IN ('a')",
            "creation_timestamp > 5",
            "name > 'a'",
        ],
        &expect![[r#"
            name = 'a' AND version_number > 3 AND run_id IN ('b','a') AND source_path ILIKE '%S3%' AND attribute.run_id != 'x'
                Attribute(Name) Is("a")
                Attribute(VersionNumber) Greater(3.0)
                Attribute(RunId) OneOf(["a", "b"])
                Attribute(SourcePath) Like(any case of "%S3%")
                Attribute(RunId) IsNot("x")
            tags.`x y` = 'z'
                Tag("x y") Is("z")
            version_number = '3'
                Attribute(VersionNumber) Equal(3.0)
            version_number = 'three'
              ! Expected a version number. Found 'three'
            version_number LIKE 3
              ! Invalid comparator for attribute version_number: LIKE. Valid comparators are {'!=', '<', '<=', '=', '>', '>='}
            run_id NOT IN ('a')
              ! Invalid comparator for attribute: NOT IN. Valid comparators are {'!=', '=', 'ILIKE', 'IN', 'LIKE'}
            name IN ('a')
              ! Only the 'run_id' attribute supports comparison with a list of quoted string values.
            creation_timestamp > 5
              ! Invalid attribute key 'creation_timestamp' specified. Valid keys are '{'name', 'run_id', 'source_path', 'version_number'}'
            name > 'a'
              ! Invalid comparator for attribute: >. Valid comparators are {'!=', '=', 'ILIKE', 'LIKE'}
        "#]],
    );
}

#[test]
fn filters_of_logged_models() {
    check(
        Entity::LoggedModels,
        &[
            "name = 'model' AND attributes.status != 'READY' AND creation_timestamp > 5 AND metrics.loss <= 0.1",
            "params.lr = 0.01 AND tags.a IN ('b', 'c') AND params.x NOT IN ('y') AND source_run_id LIKE 'a%'",
            "model_id IN ('m-1')",
            "metric.loss < 1",
            "metrics.loss LIKE 'a'",
            "metrics.loss ~ 1",
            "params.x < 'y'",
            "tags.x IS NULL",
            "name = model",
            "nothing = 'x'",
        ],
        &expect![[r#"
            name = 'model' AND attributes.status != 'READY' AND creation_timestamp > 5 AND metrics.loss <= 0.1
                Attribute(Name) Is("model")
                Attribute(Status) IsNot("READY")
                Attribute(CreationTime) Greater(5.0)
                Metric("loss") AtMost(0.1)
            params.lr = 0.01 AND tags.a IN ('b', 'c') AND params.x NOT IN ('y') AND source_run_id LIKE 'a%'
                Param("lr") Is("0.01")
                Tag("a") OneOf(["b", "c"])
                Param("x") NoneOf(["y"])
                Attribute(RunId) Like("a%")
            model_id IN ('m-1')
                Attribute(ModelId) OneOf(["m-1"])
            metric.loss < 1
              ! Invalid entity type 'metric'. Expected one of ['attributes', 'metrics', 'params', 'tags'].
            metrics.loss LIKE 'a'
              ! Expected numeric value type for metric. Found 'a'
            metrics.loss ~ 1
              ! Invalid comparison operator for metric 'loss': '~'. Expected one of {'!=', '<', '<=', '=', '>', '>='}.
            params.x < 'y'
              ! Invalid comparison operator for parameter 'x': '<'. Expected one of {'!=', '=', 'ILIKE', 'IN', 'LIKE', 'NOT IN'}.
            tags.x IS NULL
              ! IS NULL / IS NOT NULL is only supported for tags of runs and experiments, and params of runs, not for 'tag' 'x'
            name = model
              ! Parameter value is either not quoted or unidentified quote types used for string value model. Use either single or double quotes.
            nothing = 'x'
              ! Invalid attribute key 'nothing' specified. Valid keys are '{'artifact_location', 'creation_time', 'creation_timestamp', 'creation_timestamp_ms', 'experiment_id', 'last_updated_timestamp', 'last_updated_timestamp_ms', 'lifecycle_stage', 'model_id', 'model_type', 'name', 'source_run_id', 'status', 'status_message'}'
        "#]],
    );
}

fn passes(entity: Entity, filter: &str, row: &TestRow) -> bool {
    Filter::parse(entity, filter).unwrap_or_else(|error| panic!("{filter}: {error}")).matches(row)
}

#[test]
fn what_passes_among_runs() {
    let row = TestRow::run("run-1", 100.0)
        .text(Attribute::Status, "FINISHED")
        .metric("loss", 0.5)
        .metric("diverged", f64::NAN)
        .metric("exploded", f64::INFINITY)
        .param("lr", "0.1")
        .tag("owner", "Li Wei")
        .dataset("mnist", "abc", Some("train"))
        .dataset("cifar", "def", None);
    let holds = [
        "",
        "metrics.loss = 0.5",
        "metrics.loss >= 0.5 AND metrics.loss <= 0.5 AND metrics.loss < 0.6 AND metrics.loss > 0.4 AND metrics.loss != 1",
        "metrics.diverged != 1",
        "metrics.exploded > 1e300",
        "params.lr = '0.1' AND params.lr LIKE '0._' AND params.none IS NULL AND params.lr IS NOT NULL",
        "tags.owner ILIKE '%wei' AND tags.owner != 'x'",
        "start_time = 100 AND created > 99.5",
        "status = 'FINISHED' AND run_id IN ('run-0', 'run-1') AND run_id NOT IN ('run-2')",
        "datasets.name = 'cifar' AND datasets.digest = 'abc' AND dataset.context = 'train'",
        "datasets.name IN ('cifar', 'x')",
    ];
    let fails = [
        "metrics.loss > 0.5",
        "metrics.none > 0",
        "metrics.none != 0",
        "metrics.diverged > 0",
        "metrics.diverged = 0",
        "params.lr LIKE '0'",
        "params.none != 'x'",
        "params.none IS NOT NULL",
        "tags.owner LIKE '%wei'",
        "tags.owner IS NULL",
        "end_time > 0",
        "end_time != 0",
        "status = 'finished'",
        "run_name = ''",
        "run_id NOT IN ('run-1')",
        "run_id IN ('RUN-1')",
        "datasets.context = 'test'",
        "metrics.loss = 0.5 AND params.lr = '0.2'",
    ];
    for filter in holds {
        assert!(passes(Entity::Runs, filter, &row), "{filter}");
    }
    for filter in fails {
        assert!(!passes(Entity::Runs, filter, &row), "{filter}");
    }
}

#[test]
fn models_are_found_and_prompts_only_when_asked_for() {
    let model = TestRow::default().text(Attribute::Name, "weave").tag("team", "mill");
    let prompt = TestRow::default().text(Attribute::Name, "prompt").tag("team", "mill").tag(IS_PROMPT_TAG, "true");
    let cases = [
        ("", true, false),
        ("tags.team = 'mill'", true, false),
        ("tag.`mlflow.prompt.is_prompt` != 'true'", true, false),
        ("tags.team = 'mill' AND tag.`mlflow.prompt.is_prompt` != 'true'", true, false),
        ("tags.`mlflow.prompt.is_prompt` = 'false'", true, false),
        ("tags.`mlflow.prompt.is_prompt` LIKE '%x%'", true, false),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", false, true),
        ("tags.`mlflow.prompt.is_prompt` != 'false'", false, true),
        ("tags.`mlflow.prompt.is_prompt` = 'true' AND name = 'other'", false, false),
    ];
    for entity in [Entity::RegisteredModels, Entity::ModelVersions] {
        for (filter, of_model, of_prompt) in cases {
            assert_eq!(passes(entity, filter, &model), of_model, "{entity:?}: {filter}, the model");
            assert_eq!(passes(entity, filter, &prompt), of_prompt, "{entity:?}: {filter}, the prompt");
        }
        assert!(Filter::all(entity).matches(&model) && !Filter::all(entity).matches(&prompt));
    }
}

#[test]
fn metrics_of_logged_models_count_on_the_datasets_that_are_asked_for() {
    let model = TestRow::default()
        .point("loss", 0.5, 1, Some(("train", "d1")))
        .point("loss", 0.1, 2, Some(("test", "d2")))
        .point("speed", 9.0, 3, None);
    let dataset =
        |name: &str, digest: Option<&str>| DatasetFilter { name: name.to_owned(), digest: digest.map(str::to_owned) };
    let cases = [
        ("metrics.loss < 0.2", vec![], true),
        ("metrics.loss < 0.2", vec![dataset("train", None)], false),
        ("metrics.loss < 0.2", vec![dataset("train", None), dataset("test", Some("d2"))], true),
        ("metrics.loss < 0.2", vec![dataset("test", Some("d1"))], false),
        ("metrics.speed > 1", vec![dataset("train", None)], false),
        ("metrics.speed > 1", vec![], true),
        ("", vec![dataset("test", None)], true),
        ("", vec![dataset("other", None)], false),
    ];
    for (filter, datasets, expected) in cases {
        let shown = format!("{filter} on {datasets:?}");
        let filter = Filter::parse(Entity::LoggedModels, filter).unwrap().on_datasets(datasets).unwrap();
        assert_eq!(filter.matches(&model), expected, "{shown}");
    }
    let unnamed = Filter::all(Entity::LoggedModels).on_datasets(vec![dataset("", Some("d1"))]).unwrap_err();
    expect!["`dataset_name` in the `datasets` clause must be specified."].assert_eq(&unnamed.to_string());
    let many = vec![dataset("a", None); DATASETS_MAX + 1];
    assert!(matches!(Filter::all(Entity::LoggedModels).on_datasets(many), Err(SearchError::TooLong { .. })));
}

#[test]
fn numbers_that_are_ids_compare_as_texts() {
    let model = TestRow::default().number(Attribute::ExperimentId, 12.0);
    assert!(passes(Entity::LoggedModels, "experiment_id = '12'", &model));
    assert!(passes(Entity::LoggedModels, "experiment_id IN ('11', '12')", &model));
    assert!(!passes(Entity::LoggedModels, "experiment_id != '12'", &model));
}

#[test]
fn filters_are_bounded() {
    let clauses = |n: usize| vec!["metrics.a > 1"; n].join(" AND ");
    let list = |n: usize| format!("run_id IN ({})", vec!["'a'"; n].join(","));
    assert!(Filter::parse(Entity::Runs, &clauses(CLAUSES_MAX)).is_ok());
    assert!(Filter::parse(Entity::Runs, &list(LIST_ITEMS_MAX)).is_ok());
    let refused = |filter: &str| Filter::parse(Entity::Runs, filter).unwrap_err().to_string();
    expect!["Invalid filter string: it has 101 conditions, and at most 100 are allowed."]
        .assert_eq(&refused(&clauses(CLAUSES_MAX + 1)));
    expect!["Invalid list in the query: it has 1001 items, and at most 1000 are allowed."]
        .assert_eq(&refused(&list(LIST_ITEMS_MAX + 1)));
    expect!["Invalid filter string: it has 65537 bytes, and at most 65536 are allowed."]
        .assert_eq(&refused(&" ".repeat(FILTER_BYTES_MAX + 1)));
    let long = format!("params.a LIKE '{}'", "%a".repeat(1_000));
    expect!["Invalid pattern of LIKE: it has 2000 characters, and at most 1024 are allowed."]
        .assert_eq(&refused(&long));
}

#[test]
fn an_error_shows_no_more_than_a_part_of_what_is_wrong() {
    let filter = format!("params.{} < 'x'", "a".repeat(60_000));
    assert!(Filter::parse(Entity::Runs, &filter).unwrap_err().to_string().len() < 1_000);
    let unclosed = format!("params.a = '{}", "织".repeat(20_000));
    assert!(Filter::parse(Entity::Runs, &unclosed).unwrap_err().to_string().len() < 1_000);
}

#[test]
fn quotes_that_never_close_take_no_more_time_than_others() {
    // Each of these would take a parser that tries again from each quote some 10^9 steps.
    for text in ["'", "''", "\\'", "\"'", "`", "a.", "(", "IN (", "'\\"] {
        let filter = format!("tags.a = {} OR", text.repeat(60_000 / text.len()));
        assert!(Filter::parse(Entity::Runs, &filter).is_err(), "{text}");
    }
}
