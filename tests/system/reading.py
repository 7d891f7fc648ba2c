"""What a page is to everybody who reads it: findings of axe-core, the first paint, the bytes that it took."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

PAINT_MS_MAX = 1000
TRANSFER_BYTES_MAX = 200_000
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
_TRANSFER = (
    "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
    ".reduce((sum, one) => sum + one.transferSize, 0)"
)


async def findings(page: Page, axe: str, *, contrast_alone: bool = False) -> list[str]:
    """What axe holds to keep somebody from using the page, a line each.

    Args:
        page: As it stands.
        axe: The source of axe-core.
        contrast_alone: Look at colours alone: what is there is the same in light and dark.
    """
    await page.evaluate(axe)
    rules = "{ runOnly: ['color-contrast'] }" if contrast_alone else "{}"
    found: dict[str, Any] = await page.evaluate(f"axe.run(document, {rules})")
    assert found["passes"]
    return [
        f"{one['impact']} {one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


async def first_paint_ms(page: Page) -> float:
    """From the beginning of the navigation to the first content."""
    return float(await page.evaluate(_PAINT))


async def transferred_bytes(page: Page) -> int:
    """Of everything since the navigation began."""
    return int(await page.evaluate(_TRANSFER))
