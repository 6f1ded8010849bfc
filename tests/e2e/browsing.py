"""A real browser, and waiting for its pages."""

from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en",
)
WIDTH, HEIGHT = 1280, 800
LONGEST_LOAD_SECONDS = 60


def start_browser(profile):
    """Chromium with an empty profile in a folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    show_height(driver, HEIGHT)
    return driver


def show_height(browser, height):
    """Make the visible part of pages that high."""
    size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def loaded(browser, condition):
    """Wait until the page has come so far."""
    WebDriverWait(browser, LONGEST_LOAD_SECONDS).until(lambda _: condition())
