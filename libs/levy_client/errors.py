"""What can go wrong for a client."""

from levy_schemas.problems import Problem


class ClientError(Exception):
    """Anything that this client raises."""


class NoAnswerError(ClientError):
    """The engine cannot be reached, or what came is no answer of its."""


class ProblemError(ClientError):
    """The engine answered with a problem.

    Attributes
    ----------
    problem : Problem
        As RFC 9457 has it: `problem.code` is for programs, `problem.errors` point at places.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(f"{problem.code} ({problem.status}): {problem.detail}")

    @property
    def code(self) -> str:
        """The kind of problem: `unknown-model` for one."""
        return self.problem.code


class JobCancelledError(ClientError):
    """The job was cancelled, by whoever asked for that."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} was cancelled")


class StillWorkingError(ClientError):
    """The job has not ended in the time that was given; it goes on."""

    def __init__(self, job_id: str, seconds: float) -> None:
        super().__init__(f"job {job_id} has not ended within {seconds:g} s, and goes on")
