``txregistry adopt`` takes over from a docker-registry that runs as a service: it looks at the
unit, its variables, its configuration and its storage and says what would be different;
``--apply`` takes over and puts everything back if ours does not answer, ``--back`` gives back.
