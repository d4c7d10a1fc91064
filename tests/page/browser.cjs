// A fresh headless Chromium, and pages in it that remember everything they complained about or asked for.
const { chromium } = require("playwright-core");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

async function launch() {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
  const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((file) => fs.existsSync(file));
  const context = await chromium.launchPersistentContext(home, { executablePath, args: FLAGS, acceptDownloads: true });
  return {
    context,
    async open(address, { width = 1280, height = 900, dark = false } = {}) {
      const page = await context.newPage();
      const complaints = [];
      page.on("console", (message) => complaints.push(`console ${message.type()}: ${message.text()}`));
      page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
      page.on("dialog", (dialog) => { complaints.push("dialog"); dialog.dismiss(); });
      const requests = [];
      page.on("request", (request) => requests.push(request.url()));
      await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
      await page.setViewportSize({ width, height });
      await page.goto(address);
      await page.waitForFunction(() => document.documentElement.dataset.ready === "yes", null, { timeout: 20000 });
      return { page, complaints, requests: requests.filter((url) => !url.startsWith("data:") && !url.startsWith("blob:")) };
    },
    async close() {
      await context.close();
      fs.rmSync(home, { recursive: true, force: true });
    },
  };
}

module.exports = { launch };
