"""The small privileged process inside the jar: it enforces and observes."""
