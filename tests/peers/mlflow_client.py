"""The life of a model through MLflow's own client, against a server that is started anew in between.

usage: mlflow_client.py before|after FOLDER   (MLFLOW_TRACKING_URI names the server)

Each check is counted; the last line says how many there were. FOLDER keeps what the first half saw for the second one.
"""

import json
import os
import pathlib
import sys
import tempfile

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="1", MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false")

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LinearRegression

client = MlflowClient()
folder = pathlib.Path(sys.argv[2])
seen_file = folder / "seen.json"
checks = 0


def same(found, expected, what):
    global checks
    assert found == expected, f"{what}: {found!r} is not {expected!r}"
    checks += 1


def refused(code, text, call):
    global checks
    try:
        call()
    except MlflowException as error:
        assert error.error_code == code and text in str(error), f"{error.error_code}: {error}"
        checks += 1
    else:
        raise AssertionError(f"{code} was expected")


def looms(rows):
    numbers = np.random.default_rng(7)
    inputs = pd.DataFrame(numbers.random((rows, 3)), columns=["tension", "speed", "humidity"])
    return inputs, inputs @ np.array([2.0, -1.0, 0.5])


def predictions(uri):
    return [round(float(value), 9) for value in mlflow.pyfunc.load_model(uri).predict(looms(5)[0])]


def before():
    experiment = mlflow.set_experiment("张力 weaving").experiment_id
    inputs, target = looms(200)
    model = LinearRegression().fit(inputs, target)
    with mlflow.start_run(run_name="first", tags={"mill": "north"}) as run:
        mlflow.log_param("rows", 200)
        mlflow.log_params({"seed": 7, "empty": ""})
        for step in range(20):
            mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
        mlflow.log_metrics({"rmse": 0.25, "diverged": float("nan"), "worst": float("-inf")}, step=3)
        mlflow.log_input(mlflow.data.from_pandas(inputs, name="looms"), context="training")
        mlflow.log_text("织机", "notes/读我.txt")
        mlflow.log_dict({"a": 1}, "settings.json")
        info = mlflow.sklearn.log_model(
            model,
            name="tension",
            registered_model_name="loom-tension",
            input_example=inputs.head(2),
            signature=mlflow.models.infer_signature(inputs, target),
            pip_requirements=["scikit-learn"],
        )
    run_id = run.info.run_id
    kept = client.get_run(run_id)
    same(kept.info.status, "FINISHED", "status")
    same(kept.data.params, {"rows": "200", "seed": "7", "empty": ""}, "params")
    same(kept.data.metrics["loss"], 1.0 / 20, "the latest loss")
    same(np.isnan(kept.data.metrics["diverged"]), True, "NaN")
    same(kept.data.metrics["worst"], float("-inf"), "infinity")
    same(kept.data.tags["mill"], "north", "tag")
    same([entry.dataset.name for entry in kept.inputs.dataset_inputs], ["looms"], "inputs")
    same([output.model_id for output in kept.outputs.model_outputs], [info.model_id], "outputs")
    history = client.get_metric_history(run_id, "loss")
    same([(point.step, point.value) for point in history], [(step, 1.0 / (step + 1)) for step in range(20)], "history")

    same(sorted(file.path for file in client.list_artifacts(run_id)), ["notes", "settings.json"], "files")
    same([file.path for file in client.list_artifacts(run_id, "notes")], ["notes/读我.txt"], "files in a folder")
    same(mlflow.artifacts.load_text(f"runs:/{run_id}/notes/读我.txt"), "织机", "a file")

    version = client.get_model_version("loom-tension", "1")
    same((version.run_id, version.status, version.current_stage), (run_id, "READY", "None"), "version 1")
    by_run = mlflow.register_model(f"runs:/{run_id}/tension", "loom-tension")
    by_model = mlflow.register_model(info.model_uri, "loom-tension", tags={"how": "by id"})
    same((str(by_run.version), str(by_model.version)), ("2", "3"), "further versions")
    client.set_registered_model_alias("loom-tension", "champion", "1")
    client.set_registered_model_tag("loom-tension", "owner", "ann")
    client.update_registered_model("loom-tension", description="tension of the warp")
    client.update_model_version("loom-tension", "2", description="the same again")
    client.transition_model_version_stage("loom-tension", "2", "Staging")
    client.transition_model_version_stage("loom-tension", "3", "Production")
    client.transition_model_version_stage("loom-tension", "2", "Production", archive_existing_versions=True)
    same(client.get_model_version("loom-tension", "3").current_stage, "Archived", "archived by the other")
    copied = client.copy_model_version("models:/loom-tension@champion", "loom-tension-copy")
    same((str(copied.version), copied.source), ("1", "models:/loom-tension/1"), "a copy")

    expected = [round(float(value), 9) for value in model.predict(looms(5)[0])]
    for uri in [
        info.model_uri,
        f"runs:/{run_id}/tension",
        "models:/loom-tension/1",
        "models:/loom-tension@champion",
        "models:/loom-tension/Production",
        "models:/loom-tension/latest",
        "models:/loom-tension-copy/1",
    ]:
        same(predictions(uri), expected, uri)

    with mlflow.start_run(run_name="second"):
        mlflow.log_metric("rmse", 0.75)
        client.log_batch(
            mlflow.active_run().info.run_id,
            metrics=[Metric("loss", value, 1000 + value, value) for value in range(10)],
            params=[Param("rows", "100")],
            tags=[RunTag("mill", "south")],
        )
    found = mlflow.search_runs(
        experiment_names=["张力 weaving"],
        filter_string="metrics.rmse < 0.5 and params.rows = '200' and tags.mill ILIKE 'NOR%'",
        order_by=["metrics.rmse DESC"],
    )
    same(list(found["run_id"]), [run_id], "search of runs")
    pages = client.search_runs([experiment], order_by=["metrics.rmse ASC"], max_results=1)
    rest = client.search_runs([experiment], order_by=["metrics.rmse ASC"], max_results=1, page_token=pages.token)
    same([run.info.run_name for run in [*pages, *rest]], ["first", "second"], "pages")
    same(rest.token, None, "the last page")
    same([model.name for model in client.search_registered_models("name LIKE 'loom%'", order_by=["name DESC"])], ["loom-tension-copy", "loom-tension"], "search of models")
    same([str(found.version) for found in client.search_model_versions("name = 'loom-tension'", order_by=["version_number ASC"])], ["1", "2", "3"], "search of versions")
    same([model.model_id for model in mlflow.search_logged_models(experiment_ids=[experiment], output_format="list")], [info.model_id], "search of logged models")
    same(len(mlflow.search_traces(experiment_ids=[experiment], return_type="list")) if serves_traces() else 0, 0, "traces")

    refused("RESOURCE_ALREADY_EXISTS", "Registered Model (name=loom-tension) already exists.", lambda: client.create_registered_model("loom-tension"))
    refused("RESOURCE_ALREADY_EXISTS", "already exists", lambda: client.create_experiment("张力 weaving"))
    refused("RESOURCE_DOES_NOT_EXIST", "Registered Model with name=nope not found", lambda: client.get_registered_model("nope"))
    refused("RESOURCE_DOES_NOT_EXIST", "Model Version (name=loom-tension, version=99) not found", lambda: client.get_model_version("loom-tension", "99"))
    refused("RESOURCE_DOES_NOT_EXIST", "Run with id=abc not found", lambda: client.get_run("abc"))
    refused("INVALID_PARAMETER_VALUE", "Changing param values is not allowed", lambda: client.log_param(run_id, "seed", "8"))
    refused("INVALID_PARAMETER_VALUE", "foo", lambda: client.search_model_versions("foo = 'x'"))
    refused("INVALID_PARAMETER_VALUE", "reserved", lambda: client.set_registered_model_alias("loom-tension", "latest", "1"))

    # What was registered stays what it is, whatever becomes of the place that it came from.
    with tempfile.TemporaryDirectory() as scratch:
        forged = pathlib.Path(scratch) / "MLmodel"
        forged.write_text("something else")
        repository = mlflow.store.artifact.artifact_repository_registry.get_artifact_repository(
            client.get_logged_model(info.model_id).artifact_location
        )
        repository.log_artifact(str(forged))
    same(predictions("models:/loom-tension/1"), expected, "a version is frozen")

    seen_file.write_text(json.dumps({"run": run_id, "experiment": experiment, "expected": expected, "model": info.model_id}))


def serves_traces():
    try:
        client.search_traces(experiment_ids=["0"], max_results=1)
    except MlflowException as error:
        assert error.error_code in ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED"), error
        return False
    return True


def after():
    seen = json.loads(seen_file.read_text())
    run = client.get_run(seen["run"])
    same(run.data.params, {"rows": "200", "seed": "7", "empty": ""}, "params")
    same(len(client.get_metric_history(seen["run"], "loss")), 20, "history")
    same(predictions("models:/loom-tension@champion"), seen["expected"], "champion")
    same(predictions("models:/loom-tension/Production"), seen["expected"], "production")
    model = client.get_registered_model("loom-tension")
    same((model.description, model.tags, model.aliases), ("tension of the warp", {"owner": "ann"}, {"champion": "1"}), "model")
    same(client.get_model_version("loom-tension", "2").description, "the same again", "description")

    client.rename_registered_model("loom-tension", "warp-tension")
    refused("RESOURCE_DOES_NOT_EXIST", "Registered Model with name=loom-tension not found", lambda: client.get_registered_model("loom-tension"))
    same(predictions("models:/warp-tension@champion"), seen["expected"], "renamed")
    client.create_registered_model("loom-tension")
    same(client.get_registered_model("loom-tension").latest_versions, [], "the name is free, and its new model empty")
    same(client.get_registered_model("warp-tension").aliases, {"champion": "1"}, "the old one keeps what it had")

    client.delete_registered_model_alias("warp-tension", "champion")
    refused("INVALID_PARAMETER_VALUE", "alias champion not found", lambda: client.get_model_version_by_alias("warp-tension", "champion"))
    client.delete_model_version("warp-tension", "3")
    refused("RESOURCE_DOES_NOT_EXIST", "not found", lambda: client.get_model_version("warp-tension", "3"))
    same(str(mlflow.register_model(f"models:/{seen['model']}", "warp-tension").version), "4", "numbers are not used again")
    client.delete_registered_model("loom-tension")

    client.delete_run(seen["run"])
    same(client.get_run(seen["run"]).info.lifecycle_stage, "deleted", "deleted")
    refused("INVALID_PARAMETER_VALUE", "must be in the 'active' state", lambda: client.log_metric(seen["run"], "x", 1.0))
    client.restore_run(seen["run"])
    client.delete_experiment(seen["experiment"])
    same([found.name for found in client.search_experiments()], ["Default"], "experiments")
    client.restore_experiment(seen["experiment"])
    client.rename_experiment(seen["experiment"], "renamed")
    same(client.get_experiment_by_name("renamed").experiment_id, seen["experiment"], "renamed experiment")


{"before": before, "after": after}[sys.argv[1]]()
print(json.dumps({"checks": checks}))
