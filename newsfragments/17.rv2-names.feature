A start and ``txregistry config check`` warn of an installed package that offers a storage driver or an
access controller under a name of txregistry's own: it is not used.
