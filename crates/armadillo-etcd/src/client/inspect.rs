//! What of a store is no key: etcd's own leases, and alarms.

use serde_json::json;

use super::wire::{AlarmsAnswer, LeasesAnswer};
use super::{EtcdClient, EtcdError, Kind};

impl EtcdClient {
    /// etcd's own leases (not Armadillo's), a line each.
    pub(crate) async fn etcd_leases(&self) -> Result<Vec<String>, EtcdError> {
        let answer: LeasesAnswer = self
            .call(
                Kind::Read,
                "list leases".to_owned(),
                "/v3/lease/leases",
                &json!({}),
            )
            .await?;
        let leases = answer.leases.into_iter();
        Ok(leases
            .map(|lease| format!("lease {:x}", lease.id))
            .collect())
    }

    /// The alarms that are raised, a line each.
    pub(crate) async fn alarms(&self) -> Result<Vec<String>, EtcdError> {
        let answer: AlarmsAnswer = self
            .call(
                Kind::Read,
                "list alarms".to_owned(),
                "/v3/maintenance/alarm",
                &json!({ "action": "GET" }),
            )
            .await?;
        let alarms = answer.alarms.into_iter();
        Ok(alarms
            .map(|alarm| format!("alarm {} of member {:x}", alarm.alarm, alarm.member_id))
            .collect())
    }
}
