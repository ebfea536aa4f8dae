# SPDX-License-Identifier: GPL-2.0-only
"""What a scenario has shown, as claims that hold or do not."""

WORDS = {True: "ok", False: "FAILED", None: "not reached"}


class Claim:
    """One thing that must hold. ok is None where it was never reached."""

    def __init__(self, name, ok, detail=""):
        self.name = name
        self.ok = ok
        self.detail = detail


class Outcome:
    """All the claims of a scenario, and the numbers that go with them."""

    def __init__(self, claims, figures, trouble, success):
        """figures: (name, value). success: the last line if all holds."""
        self.claims = claims
        self.figures = figures
        self.trouble = trouble
        self.success = success

    def passed(self):
        return all(claim.ok for claim in self.claims)

    def verdict(self):
        failed = [claim for claim in self.claims if not claim.ok]
        if not failed:
            return f"PASSED: {self.success}"
        why = self.trouble.splitlines()[0] if self.trouble else (
            f"\"{failed[0].name}\" does not hold")
        return (f"FAILED: {why} ({len(failed)} of {len(self.claims)} checks "
                "did not pass)")

    def text(self):
        lines = ["REPORT", ""]
        lines += [f"  {name + ':':32} {value}" for name, value in self.figures]
        lines += ["", "CHECKS", ""]
        lines += [f"  {WORDS[claim.ok]:12} {claim.name}"
                  + (f" ({claim.detail})" if claim.detail else "")
                  for claim in self.claims]
        if self.trouble:
            lines += ["", "TROUBLE", ""]
            lines += ["  " + line for line in self.trouble.splitlines()]
        lines += ["", self.verdict()]
        return "\n".join(lines)

    def ktap(self):
        """The results; the plan has been printed before."""
        lines = [f"# {name}: {value}" for name, value in self.figures]
        for number, claim in enumerate(self.claims, 1):
            word = "ok" if claim.ok else "not ok"
            detail = claim.detail or WORDS[claim.ok]
            lines += [f"# {claim.name}: {detail}",
                      f"{word} {number} {claim.name}"]
        return "\n".join(lines)
