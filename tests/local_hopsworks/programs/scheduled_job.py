"""A pipeline that uploads a script, runs it as a job with a secret, and schedules it."""

from pathlib import Path

import hopsworks

SCRIPT = Path(__file__).parent / "jobs" / "fetch_prices.py"

project = hopsworks.login()
hopsworks.get_secrets_api().create_secret("PRICE_API_KEY", "sesame")
script = project.get_dataset_api().upload(str(SCRIPT), "Resources", overwrite=True)
jobs_api = project.get_job_api()
config = jobs_api.get_configuration("PYTHON")
config["appPath"] = script
job = jobs_api.create_job("fetch_prices", config)
execution = job.run(args="--zone SE3", await_termination=True)
assert execution.success, execution.state
out, err = execution.download_logs()
assert "stored 24 prices of SE3" in Path(out).read_text(), Path(err).read_text()
stored = project.get_feature_store().get_feature_group("prices", 1).read()
assert len(stored) == 24 and stored["price"].min() == 6.0
job.schedule("0 0 6 * * ?")
assert jobs_api.get_job("fetch_prices").job_schedule.enabled
for refused in (
    lambda: project.get_environment_api().get_environments(),
    lambda: project.get_git_api().get_repos(),
):
    try:
        refused()
    except Exception as error:
        assert "The embedded Hopsworks does not do this" in str(error), error
    else:
        raise AssertionError("not refused")
print("done")
