"""An AWS that runs on loopback, as strict as the real one."""
