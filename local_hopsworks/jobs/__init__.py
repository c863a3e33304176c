"""Jobs: Python scripts in dataset storage, their executions and schedules."""
