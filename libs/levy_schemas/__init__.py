"""Request and response schemas, problem types and task names."""
