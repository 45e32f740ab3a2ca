"""The folder in which Crossbar finds the plugin; not imported by wampflask."""
