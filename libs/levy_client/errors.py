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
