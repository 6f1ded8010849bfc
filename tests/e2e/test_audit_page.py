"""The blind audit on the project's page in a real browser, for projects of both tools."""

import pytest
from audited_page import CONFIGS, AuditedPage
from browsing import show_height
from selenium.webdriver.common.by import By

from backend.store.audits import SqlAudits

pytestmark = pytest.mark.e2e

CUT = """
return [...document.querySelectorAll('table.audit td, table.audit th')].filter(
  cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.textContent);
"""


@pytest.fixture(params=CONFIGS)
def page(request, tmp_path):
    page = AuditedPage(tmp_path, request.param)
    page.label_audited()
    yield page
    page.close()


def test_the_estimates_can_be_read_next_to_the_labels_they_rest_on(page, browser):
    page.audit()
    (model,) = SqlAudits(page.services.database, page.project.id).last().models

    with page.listening() as address:
        browser.get(address)
        show_height(browser, browser.execute_script("return document.body.scrollHeight"))
        rows = browser.find_elements(By.CSS_SELECTOR, "table.audit tr")
        cells = [cell.text for cell in rows[1].find_elements(By.TAG_NAME, "td")]

    assert cells[:2] == ["LLM", "gpt-6-luna"]
    assert [cell.split()[0] for cell in cells[2:5]] == [
        f"{100 * it.value:.1f}" for it in (model.precision, model.recall, model.f1)
    ]
    assert cells[4].endswith(f"({100 * model.f1.low:.1f}–{100 * model.f1.high:.1f})")
    assert cells[5:] == [str(model.texts), str(model.more)]


def test_no_cell_of_the_table_is_cut(page, browser):
    page.audit()

    with page.listening() as address:
        browser.get(address)
        assert browser.find_elements(By.CSS_SELECTOR, "table.audit")
        assert browser.execute_script(CUT) == []
