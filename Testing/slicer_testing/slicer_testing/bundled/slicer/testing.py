"""Functions for scripts that the application runs as tests."""

import sys
import unittest


def exitSuccess():
    """End a test script as passed: nothing to do, since a script that does not raise has passed."""


def exitFailure(message=""):
    """End a test script as failed."""
    raise Exception(message)


def runUnitTest(path, testname):
    """Run a unit test by its name; raise an exception if it fails.

    :param path: a folder or several folders that are added to ``sys.path``.
    :param testname: dotted name of a test module, class or method.
    """
    sys.path.extend([path] if isinstance(path, str) else path)
    line = "-------------------------------------------"
    print(f"{line}\npath: {path}\ntestname: {testname}\n{line}")
    suite = unittest.TestLoader().loadTestsFromName(testname)
    if not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful():
        exitFailure()
