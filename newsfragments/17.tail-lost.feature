Content that the disk does not give (a bad sector) is set aside like damaged content, so that a cache
fetches it again and a registry takes it by a push; an alert tells what a verification could not heal.
