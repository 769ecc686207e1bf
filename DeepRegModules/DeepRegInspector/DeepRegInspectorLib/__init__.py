"""The parts of the module DeepRegInspector."""
