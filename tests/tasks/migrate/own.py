"""Rules of one's own, as a user writes them."""

import libcst as cst
from libcst import matchers as m

from maker_graph.errors import Invalid
from maker_graph.tasks.migrate import Site


class Old:
    """`old(x)` becomes `new(x)`."""

    def find(self, module: cst.Module) -> list[cst.CSTNode]:
        return [*m.findall(module, m.Call(func=m.Name("old")))]

    def prompt(self, site: Site) -> str:
        return f"Call new in place of old, in {site['file']}."

    def check(self, site: Site, code: str) -> bool:
        if "old" in code:
            raise Invalid("old is still there")
        return code.startswith("new(") and site["code"].startswith("old(")

    def rehearse(self, site: Site) -> tuple[str, list[str]]:
        right = site["code"].replace("old(", "new(", 1)
        return f"```\n{right}\n```", ["```\nnew()\n```"]

    def imports(self, site: Site, code: str) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("library", "new")]


class Plain(Old):
    """The same without an import."""

    def imports(self, site: Site, code: str) -> list[tuple[str, str]]:  # noqa: ARG002
        return []


class Must(Plain):
    may_leave = False


class Sure(Plain):
    """It is sure of what stands in one line."""

    def given(self, site: Site) -> str | None:
        return None if "\n" in site["code"] else site["code"].replace("old(", "new(", 1)


class Wrong(Plain):
    """It is sure of what its own check refuses."""

    def given(self, site: Site) -> str | None:
        return f"older({site['code']})"


class Raises(Plain):
    """Statements: `assert_raises(E, f, x)` becomes a block."""

    def find(self, module: cst.Module) -> list[cst.CSTNode]:
        return [*m.findall(module, m.SimpleStatementLine([m.Expr(m.Call(func=m.Name("assert_raises")))]))]

    def check(self, site: Site, code: str) -> bool:  # noqa: ARG002
        return code.startswith("with ")


class Failing(Plain):
    def find(self, module: cst.Module) -> list[cst.CSTNode]:  # noqa: ARG002
        raise KeyError("x")


class Odd(Plain):
    def find(self, module: cst.Module) -> list[cst.CSTNode]:
        return [module]


class Lacking:
    def find(self, module: cst.Module) -> list[cst.CSTNode]:  # noqa: ARG002
        return []
