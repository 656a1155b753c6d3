Damaged content is found, set aside under ``txregistry/damaged/`` and fetched anew: a blob
that was cut or changed on disk is not served any more, in any request; a directory that was
copied or restored is verified as it is used.
