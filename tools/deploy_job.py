"""Hand a pipeline to Hopsworks as a scheduled job, with the SDK's own command line, hops.

python tools/deploy_job.py titanic_feature_pipeline.py "0 0 5 * * ?" --passengers 1

The pipelines call it when LOCAL is False, and `make schedule` for all three. What comes after the
Quartz cron expression (in UTC) are options of the pipeline. Done again, it changes nothing.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from croniter import croniter

# Hopsworks' own Python environments; one of yours must have the packages of requirements.txt
ENVIRONMENTS = {
    "titanic_feature_pipeline": "python-feature-pipeline",
    "titanic_training_pipeline": "pandas-training-pipeline",
    "titanic_batch_inference_pipeline": "pandas-inference-pipeline",
}


def check_schedule(schedule: str) -> None:
    """Exit with one sentence if `schedule` is not a Quartz cron expression.

    It has six fields from seconds to the day of the week, perhaps a year, and one of the two days
    is a question mark.
    """
    fields = schedule.split()
    is_quartz = len(fields) in (6, 7) and [fields[3], fields[5]].count("?") == 1
    if not is_quartz or not croniter.is_valid(schedule, second_at_beginning=True):
        raise SystemExit(
            f"SCHEDULE is {schedule!r}, which is not a Quartz cron expression: "
            "'0 0 5 * * ?' is every day at 5:00, '0 20 5 ? * MON' every Monday at 5:20."
        )


def main(script: Path, schedule: str, options: list[str]) -> int:
    """Deploy the job; returns the exit status of hops."""
    check_schedule(schedule)
    hops = [str(Path(sys.executable).with_name("hops")), "job", "deploy", script.stem, str(script)]
    command = [*hops, "--env", ENVIRONMENTS[script.stem], "--cron", schedule]
    if options:
        command += ["--args", shlex.join(options)]
    is_embedded = not os.environ.get("HOPSWORKS_API_KEY")
    if is_embedded:
        command = [sys.executable, "-m", "local_hopsworks", "run", "--", *command]
    status = subprocess.call(command)
    if status == 0 and is_embedded:
        print("The embedded Hopsworks runs its jobs while it serves: make serve")
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
