"""The part of PromQL that Grafana and people use on sensors, over our own figures."""
