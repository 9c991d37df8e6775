"""lxml and xmlsec hand each other pointers into libxml2, so both must carry the same one."""

from __future__ import annotations


def check_pair() -> None:
    """Raise ImportError, saying what is installed and what is needed, unless the two agree.

    python-xmlsec refuses to load beside a different libxml2; older ones crash instead.
    """
    from lxml import etree

    of_lxml = etree.LIBXML_VERSION
    try:
        import xmlsec
    except ImportError as problem:
        raise ImportError(
            f"lxml (libxml2 {_dotted(of_lxml)}) and xmlsec do not fit together: {problem}"
        ) from None
    of_xmlsec = xmlsec.get_libxml_version()
    if of_xmlsec != of_lxml:
        raise ImportError(
            f"lxml has libxml2 {_dotted(of_lxml)} but xmlsec has {_dotted(of_xmlsec)}"
        )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
