//! A harness to copy: tests over no deployment, an ArangoDB single server and etcd clusters.
