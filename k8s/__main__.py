"""Write the PrometheusRule manifest from `prometheus/rules`."""

from k8s.rules import FILE, prometheus_rule

if __name__ == "__main__":
    FILE.write_text(prometheus_rule())
