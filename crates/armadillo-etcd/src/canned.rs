//! A deployment that does not run, for unit tests.

use std::collections::BTreeMap;

use armadillo_orchestrator::{Place, Secret, ServerKey, Settings, Share, View};

use crate::topology::{ROLE, etcd};

/// A view of so many members, whose three addresses differ: binding at 1, reached at 12, advertised at 23.
pub(crate) fn view(members: u32) -> View {
    let place = |number: u32| {
        let addresses = |client: u32, peer: u32| {
            BTreeMap::from([
                (
                    "client".to_owned(),
                    format!("127.0.0.1:{}", client + number),
                ),
                ("peer".to_owned(), format!("127.0.0.1:{}", peer + number)),
            ])
        };
        let key = ServerKey::numbered(ROLE, number);
        let directory = format!("/run/{key}").into();
        let place = Place {
            role: ROLE.to_owned(),
            bind: addresses(10_000, 20_000),
            advertise: addresses(13_000, 23_000),
            reach: addresses(12_000, 22_000),
            dir_inside: directory,
            dir_outside: "/outside".into(),
            share: Share {
                memory_mib: 96,
                cores: 2,
            },
        };
        (key, place)
    };
    let topology = etcd().members(members).topology().to_topology();
    View {
        deployment: format!("{}-00c0ffee", topology.label()),
        topology,
        places: (1..=members).map(place).collect(),
        secret: Secret::new("do-not-show-this"),
        keys: Default::default(),
        membership: Default::default(),
        stand_ins: Default::default(),
        settings: Settings::default(),
        tls: None,
        held: Default::default(),
    }
}
