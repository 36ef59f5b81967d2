"""How a process is seen: logs, metrics, health, and problems as answers."""
