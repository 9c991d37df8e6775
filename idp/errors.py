"""What every refusal of this project has in common."""


class IdpError(Exception):
    """A refusal with a sentence for the person who meets it.

    `message` says what was wrong and what was expected; `advice` says what to do next.
    `status` is the HTTP status for pages; the command line exits with 2 for any of them.
    """

    status = 400

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} {self.advice}".strip()
