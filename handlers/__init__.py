"""The business rules: deciders, policies, and the ports that adapters fill."""
