"""What a CRM says about its own fields, made into the gateway's rules and the package's allow-list."""
