"""The errors this server answers with: Hopsworks' own codes and HTTP statuses.

    HopsworksError                    any refusal; carries status, code and one sentence
    ├── NotFound                      404
    └── NotEmbedded                   501: exists on a real Hopsworks, not here

The SDK looks at some of the codes (`NOT_FOUND_ERROR_CODE` in its classes) to tell "missing" from
"broken", so those must be exact.
"""

from __future__ import annotations

# Codes that the SDK itself compares with (grep NOT_FOUND_ERROR_CODE and errorCode in the SDK)
FEATURE_GROUP_NOT_FOUND = 270009
TRAINING_DATASET_NOT_FOUND = 270012
TRANSFORMATION_FUNCTION_NOT_FOUND = 270160
NO_EVENT_TIME = 270172
FEATURE_VIEW_NOT_FOUND = 270181
STATISTICS_NOT_FOUND = 270228
MODEL_NOT_FOUND = 360000
TAG_NOT_FOUND = 370002
JOB_NOT_FOUND = 130009
SECRET_NOT_FOUND = 160048

# The other refusals, with the codes of Hopsworks' backend (its RESTCodes)
ILLEGAL_ARGUMENT = 120001
NOT_IMPLEMENTED = 120002
VARIABLE_NOT_FOUND = 100032
DATASET_REQUEST_INVALID = 110001
DATASET_NOT_FOUND = 110008
DATASET_EXISTS = 110012
UNSUPPORTED_JOB_TYPE = 130002
ILLEGAL_JOB_NAME = 130006
EXECUTION_NOT_FOUND = 130007
ILLEGAL_EXECUTION_STATE = 130010
JOB_NOT_CREATED = 130013
JOB_SCHEDULE_NOT_UPDATED = 130021
JOB_SCHEDULE_NOT_FOUND = 130042
PROJECT_NOT_FOUND = 150004
SECRET_EXISTS = 160049
SECRET_ENCRYPTION = 160050
FEATURE_STORE_NOT_FOUND = 270008
ILLEGAL_FEATURE_GROUP_TYPE = 270049
UNSUPPORTED_DATA_FORMAT = 270057
FEATURE_DOES_NOT_EXIST = 270082
FEATURE_GROUP_EXISTS = 270089
ILLEGAL_NAME = 270091
NO_JOINING_KEYS = 270096
ILLEGAL_FEATURE_GROUP_UPDATE = 270114
NO_DATA_AT_COMMIT_TIME = 270118
ILLEGAL_QUERY = 270139
TRANSFORMATION_FUNCTION_EXISTS = 270159
FEATURE_VIEW_EXISTS = 270179
EXPECTATION_NOT_FOUND = 270190
EXPECTATION_SUITE_NOT_FOUND = 270191
VALIDATION_REPORT_NOT_FOUND = 270192
ILLEGAL_EXPECTATION_UPDATE = 270207
EXPECTATION_SUITE_EXISTS = 270208
AMBIGUOUS_FEATURE = 270213
DUPLICATE_FEATURE = 270224
INVALID_API_KEY = 320012


class HopsworksError(Exception):
    """A refusal with Hopsworks' `errorCode` and a sentence a person can act on."""

    def __init__(self, message: str, code: int = ILLEGAL_ARGUMENT, status: int = 400) -> None:
        super().__init__(message)
        self.message, self.code, self.status = message, code, status

    def document(self) -> dict[str, object]:
        """The JSON body that `hopsworks.client.exceptions.RestAPIError` parses."""
        return {
            "type": "restApiJsonResponse",
            "errorCode": self.code,
            "errorMsg": self.message,
            "usrMsg": self.message,
        }


class NotFound(HopsworksError):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message, code, 404)


class NotEmbedded(HopsworksError):
    """Something a real Hopsworks does and this one does not: refused loudly, never an empty
    success."""

    def __init__(
        self, what: str, instead: str = "Set HOPSWORKS_API_KEY to use a real Hopsworks for it."
    ) -> None:
        super().__init__(
            f"The embedded Hopsworks does not do this: {what}. {instead}", NOT_IMPLEMENTED, 501
        )
