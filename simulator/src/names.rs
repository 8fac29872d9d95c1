//! Ids from names that the mill makes: short and printable, so that the domain always takes them.

use domain::Unit;
use domain::ids::{
    AlarmId, AssetClass, AssetId, Code, EquipmentId, FaultId, InspectionId, LotId, MaterialId, NonconformanceId,
    OrderId, PersonId, ShipmentId, SignalId, WorkOrderId,
};

macro_rules! makers {
    ($($name:ident $type:ident)*) => {$(
        pub(crate) fn $name(text: &str) -> $type {
            $type::new(text).expect("a name of the mill is valid")
        }
    )*};
}

makers! {
    alarm AlarmId
    class AssetClass
    asset AssetId
    code Code
    equipment EquipmentId
    fault FaultId
    inspection InspectionId
    lot LotId
    material MaterialId
    nonconformance NonconformanceId
    order OrderId
    person PersonId
    shipment ShipmentId
    signal SignalId
    work_order WorkOrderId
    unit Unit
}
