/** A real Chromium, and what every visit to the page must keep to. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { ExecutionContext } from 'ava';
import type { AxeResults } from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { findProgram, notRun } from '../../support/needs.js';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
export const PATIENCE_MS = 30_000;

let browser: Promise<Browser> | undefined;

export async function endBrowser(): Promise<void> {
  await (await browser)?.close();
}

/** A person who looks at the page: `Visit.open` begins it, `judge` ends it. */
export class Visit {
  readonly page: Page;
  readonly #t: ExecutionContext;
  readonly #complaints: string[] = [];
  /** Addresses that were asked for. */
  readonly asked: string[] = [];

  private constructor(t: ExecutionContext, page: Page) {
    this.#t = t;
    this.page = page;
  }

  /** Undefined where there is no Chromium: then the test has said so. */
  static async open(
    t: ExecutionContext,
    url: string,
    options: BrowserContextOptions = {},
  ): Promise<Visit | undefined> {
    const executablePath = findProgram('chromium');
    if (executablePath === undefined) {
      notRun(t, 'chromium is not installed: apt-get install chromium');
      return undefined;
    }
    browser ??= chromium.launch({ executablePath, args: FLAGS });
    const context = await (await browser).newContext({ viewport: { width: 1280, height: 800 }, ...options });
    t.teardown(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const visit = new Visit(t, page);
    page.on('console', message => visit.#complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', error => visit.#complaints.push(`error: ${error.message}`));
    page.on('dialog', dialog => {
      visit.#complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', request => visit.asked.push(request.url()));
    page.on('websocket', socket => visit.asked.push(socket.url()));
    await page.addInitScript({ content: TELL_VIOLATIONS });
    await page.goto(url);
    return visit;
  }

  /** Goes to a view and waits until it is drawn. */
  async show(hash: string, selector: string): Promise<void> {
    await this.page.evaluate(`location.assign(${JSON.stringify(hash)})`);
    await this.page.waitForSelector(selector);
  }

  text(selector: string): Promise<string> {
    return this.page.locator(selector).first().innerText();
  }

  /** Waits until an element says so. */
  async says(selector: string, pattern: RegExp): Promise<void> {
    await this.page.locator(selector, { hasText: pattern }).first().waitFor();
  }

  /** What a checker of accessibility finds wrong with what is shown now. */
  async barriers(): Promise<string[]> {
    await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate<AxeResults>(
      "axe.run(document, { resultTypes: ['violations'] })",
    );
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} ${target.join(' ')}: ${failureSummary}`),
    );
  }

  /**
   * Nothing was asked of anybody else, the policy was never violated, and nothing was complained of.
   * @param expected complaints that the test has caused
   */
  judge(expected: RegExp = /(?!)/): void {
    const { origin } = new URL(this.page.url());
    const foreign = this.asked.filter(url => new URL(url.replace(/^ws/, 'http')).origin !== origin);
    this.#t.deepEqual(foreign, []);
    this.#t.deepEqual(
      this.#complaints.filter(text => !expected.test(text)),
      [],
    );
  }
}

/** Scripts for the browser stand as texts: nothing here knows a document. */
const TELL_VIOLATIONS = `addEventListener('securitypolicyviolation', event =>
  console.error('violates ' + event.violatedDirective + ': ' + event.blockedURI + ' ' + event.sample))`;
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
