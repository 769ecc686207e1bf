"""What the module DeepRegInspector is made of."""
