//! Rows of events, and what labels say of them.

use domain::values::Quantity;
use serde_json::json;

use super::*;

#[tokio::test]
async fn rows_of_faults_know_what_was_before_and_when_the_next_one_comes() {
    let mut mill = Mill::new().await;
    mill.read(1000, &[("L1.tension", 90, 1.0), ("L1.tension", 100, 50.0), ("L1.tension", 3_690, 2.0)]).await;
    mill.tell(1000, Some(100), fault("F2", "L1")).await;
    mill.tell(1000, Some(3700), fault("F1", "L1")).await;
    mill.tell(1000, Some(3700), fault("F3", "L2")).await;
    mill.tell(1000, Some(200), coded("F1", "L1", "BRD")).await;
    // The same fault observed again makes no second row.
    mill.tell(1001, Some(5000), fault("F1", "L1")).await;
    mill.tell(10_000, Some(10_000), registered("L3")).await;
    let spec = spec(
        (0, 7200),
        json!({
            "rows": {"on": "event", "event": "fault_observed"},
            "features": [{"kind": "reading", "name": "last", "quantity": "tension", "aggregate": "last", "window_s": 3600}],
            "labels": [
                {"kind": "failure_mode", "name": "mode", "horizon_s": 1},
                {"kind": "time_to_fault", "name": "brd", "modes": ["BRD"], "unit": "min"},
            ],
        }),
    );
    assert_eq!(
        mill.rows(spec).await,
        [
            // F2 is not coded: whether it was a breakdown itself is not known.
            "L1 100 id=F2 position=5 last=1.0 mode=null brd=null brd_censored=null",
            "L1 3700 id=F1 position=6 last=2.0 mode=BRD brd=0.0 brd_censored=false",
            "L2 3700 id=F3 position=7 last=null mode=null brd=null brd_censored=null",
        ]
    );
}

#[tokio::test]
async fn a_time_to_a_fault_that_was_not_seen_is_censored() {
    let mut mill = Mill::new().await;
    mill.tell(3600, Some(1800), fault("F1", "L1")).await;
    let labels = json!([{"kind": "time_to_fault", "name": "next", "unit": "s"}]);
    let now =
        spec((0, 3601), json!({"assets": {"ids": ["L1"]}, "rows": {"on": "grid", "period_s": 1200}, "labels": labels}));
    // The newest event that the log had seen is the fault itself.
    assert_eq!(
        mill.rows(now.clone()).await,
        [
            "L1 0 next=1800.0 next_censored=false",
            "L1 1200 next=600.0 next_censored=false",
            "L1 2400 next=null next_censored=null",
            "L1 3600 next=null next_censored=null"
        ]
    );
    let mut later = now;
    later["observed_until"] = json!(at(3000));
    assert_eq!(mill.rows(later).await[2], "L1 2400 next=600.0 next_censored=true");
}

fn doffed(roll: &str, asset: &str) -> ClothDoffed {
    ClothDoffed {
        asset: AssetId::new(asset).unwrap(),
        roll: LotId::new(roll).unwrap(),
        order: OrderId::new("O1").unwrap(),
        product: MaterialId::new("poplin").unwrap(),
        picks: 1000,
        length_m: 100.0,
        beams: Vec::new(),
        wefts: Vec::new(),
        person: None,
    }
}

fn inspected(id: &str, roll: &str, verdict: Verdict, width: f64) -> InspectionRecorded {
    let measurement = Measurement {
        characteristic: code("width"),
        value: width,
        unit: Unit::new("cm").unwrap(),
        lower_limit: None,
        upper_limit: None,
    };
    InspectionRecorded {
        inspection: InspectionId::new(id).unwrap(),
        lot: Some(LotId::new(roll).unwrap()),
        order: None,
        asset: None,
        product: None,
        measurements: vec![measurement],
        defects: Vec::new(),
        verdict,
        person: None,
        repeated: None,
    }
}

#[tokio::test]
async fn a_roll_meets_its_own_inspection_and_what_became_of_it() {
    let mut mill = Mill::new().await;
    let mounted = BeamMounted {
        asset: AssetId::new("L1").unwrap(),
        beam: LotId::new("B1").unwrap(),
        order: OrderId::new("O1").unwrap(),
        product: MaterialId::new("poplin").unwrap(),
        joining: Joining::DrawnIn,
        person: None,
    };
    mill.tell(10, Some(10), mounted).await;
    mill.tell(100, Some(100), doffed("R1", "L1")).await;
    mill.tell(200, Some(200), doffed("R2", "L1")).await;
    // R2 is inspected before R1, and R1 twice: the last word about an inspection counts.
    mill.tell(300, Some(300), inspected("I2", "R2", Verdict::Pass, 150.0)).await;
    mill.tell(310, Some(310), inspected("I1", "R1", Verdict::Undecided, 149.0)).await;
    mill.tell(320, Some(310), inspected("I1", "R1", Verdict::Fail, 148.0)).await;
    let raised = NonconformanceRaised {
        nonconformance: NonconformanceId::new("N1").unwrap(),
        inspection: Some(InspectionId::new("I1").unwrap()),
        lot: None,
        order: None,
        asset: None,
        code: code("narrow"),
        description: None,
    };
    mill.tell(330, Some(330), raised).await;
    let decided = |disposition| DispositionDecided {
        nonconformance: NonconformanceId::new("N1").unwrap(),
        lot: None,
        disposition,
        person: None,
    };
    let first = mill.tell(340, Some(340), decided(Disposition::Rework)).await;
    let second = mill.tell(350, Some(350), decided(Disposition::Downgrade)).await;
    let spec = |event: &str| {
        spec(
            (0, 3600),
            json!({
                "rows": {"on": "event", "event": event},
                "features": [{"kind": "product", "name": "product"}],
                "labels": [
                    {"kind": "verdict", "name": "verdict", "within_s": 3600},
                    {"kind": "measurement", "name": "width", "characteristic": "width", "unit": "m", "within_s": 3600},
                    {"kind": "disposition", "name": "became", "within_s": 3600},
                ],
            }),
        )
    };
    let rolls = spec("cloth_doffed");
    assert_eq!(
        mill.rows(rolls.clone()).await,
        [
            "L1 100 id=R1 position=5 product=poplin verdict=fail width=1.48 became=downgrade",
            "L1 200 id=R2 position=6 product=poplin verdict=pass width=1.5 became=null",
        ]
    );
    assert_eq!(
        mill.rows_as_of(rolls.clone(), first).await[0],
        "L1 100 id=R1 position=5 product=poplin verdict=fail width=1.48 became=rework"
    );
    let (built, _) = made(&mill.log, rolls, second).await;
    assert!(built.label_positions.contains(&second) && !built.label_positions.contains(&first));
    assert_eq!(
        mill.rows(spec("inspection_recorded")).await,
        [
            "L1 300 id=I2 position=7 product=poplin verdict=pass width=1.5 became=null",
            "L1 310 id=I1 position=9 product=poplin verdict=fail width=1.48 became=downgrade",
        ]
    );
}

#[tokio::test]
async fn the_value_of_a_quantity_later_is_a_label() {
    let mut mill = Mill::new().await;
    mill.read(400, &[("L1.tension", 60, 1.0), ("L1.tension", 119, 3.0), ("L1.tension", 200, 9.0)]).await;
    let label = json!({"kind": "value", "name": "later", "quantity": "tension", "aggregate": "max", "ahead_s": 60, "window_s": 60, "unit": "N"});
    let spec = spec((0, 121), json!({"assets": {"ids": ["L1"]}, "labels": [label]}));
    let (built, file) = made(&mill.log, spec, mill.last()).await;
    // The log had seen second 200: the window from 180 to 240 is not observed to its end.
    assert_eq!(rows(&file), ["L1 0 later=3000.0", "L1 60 later=null", "L1 120 later=null"]);
    assert_eq!(built.columns[2].unit, Some(Unit::new("N").unwrap()));
}

#[tokio::test]
async fn an_order_says_what_is_made() {
    let mut mill = Mill::new().await;
    let created = OrderCreated {
        order: OrderId::new("O1").unwrap(),
        product: MaterialId::new("twill").unwrap(),
        quantity: Some(Quantity::new(10.0, Unit::metre())),
        parent: None,
        customer: None,
        due: None,
        note: None,
    };
    let started =
        OrderStarted { order: OrderId::new("O1").unwrap(), asset: Some(AssetId::new("L1").unwrap()), person: None };
    mill.tell(30, Some(30), started).await;
    mill.tell(100, Some(20), created).await;
    let now = spec((60, 121), json!({"assets": {"ids": ["L1"]}, "features": [{"kind": "product", "name": "product"}]}));
    assert_eq!(mill.rows(now.clone()).await, ["L1 60 product=twill", "L1 120 product=twill"]);
    let mut then = now;
    then["knowledge"] = json!("as_known_then");
    assert_eq!(mill.rows(then).await, ["L1 60 product=null", "L1 120 product=twill"]);
}
