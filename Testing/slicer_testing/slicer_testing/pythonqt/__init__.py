"""Qt and CTK with the interface of PythonQt."""
