//! A real Flink cluster, controller and Prometheus for tests and the demo.
