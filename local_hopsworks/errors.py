"""The errors this server answers with: Hopsworks' own codes and HTTP statuses.

    HopsworksError                    any refusal; carries status, code and one sentence
    ├── NotFound                      404
    └── NotEmbedded                   501: exists on a real Hopsworks, not here

The SDK looks at some of the codes (`NOT_FOUND_ERROR_CODE` in its classes) to tell "missing" from
"broken", so those must be exact. The codes of one service stand in its own `errors.py`, those of
all services here.
"""

from __future__ import annotations

# The codes of Hopsworks' backend (its RESTCodes)
DATASET_REQUEST_INVALID = 110001
ILLEGAL_ARGUMENT = 120001
NOT_IMPLEMENTED = 120002
SECRET_ENCRYPTION = 160050
ILLEGAL_NAME = 270091
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
    """Something that is not there."""

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
