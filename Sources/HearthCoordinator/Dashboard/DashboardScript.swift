/// What pages do in the browser: keep themselves as the coordinator's state is, show a log as it grows, check the ledger. No library, no build.
enum DashboardScript {
    static let text = #"""
        "use strict";
        const live = document.getElementById("live"), job = document.body.dataset.log;
        const log = document.getElementById("log");
        const events = new EventSource("/v1/events" + (job ? "?job=" + encodeURIComponent(job) : ""));
        // Each stream begins with the log's beginning.
        events.onopen = () => { live.textContent = "Live."; if (log) log.textContent = ""; };
        events.onerror = () => { live.textContent = "The coordinator does not answer; trying again."; };
        // The page is asked for again; what changed is put in place, the log stays.
        events.addEventListener("change", async () => {
          if (document.body.dataset.busy) return;
          const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
          if (!answer.ok || answer.redirected) return;
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          const [next, now] = [page.querySelectorAll("[data-live]"), document.querySelectorAll("[data-live]")];
          if (next.length !== now.length) return;
          now.forEach((part, index) => { if (part.innerHTML !== next[index].innerHTML) part.innerHTML = next[index].innerHTML; });
          document.querySelector("footer time").textContent = page.querySelector("footer time").textContent;
        });
        events.addEventListener("log", (event) => {
          const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
          log.append(JSON.parse(event.data));
          if (atEnd) log.scrollTop = log.scrollHeight;
        });

        // RFC 6962's tree, hashed here; nothing is believed but what the page's own arithmetic says.
        const sha256 = async (...parts) => {
          const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
          let at = 0;
          for (const part of parts) { bytes.set(part, at); at += part.length; }
          return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
        };
        const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
        const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        const root = async (hashes) => {
          if (hashes.length === 0) return sha256();
          if (hashes.length === 1) return hashes[0];
          let half = 1;
          while (half * 2 < hashes.length) half *= 2;
          return sha256(Uint8Array.of(1), await root(hashes.slice(0, half)), await root(hashes.slice(half)));
        };
        const signed = async (note, key) => {
          const border = note.lastIndexOf("\n\n"), text = note.slice(0, border + 1);
          const [name, , packed] = key.split("+", 2).concat(key.slice(key.indexOf("+", key.indexOf("+") + 1) + 1));
          const line = note.slice(border + 2).split("\n").find((line) => line.startsWith("\u2014 " + name + " "));
          if (!line) return "nobody of that name signed it";
          try {
            const raw = await crypto.subtle.importKey("raw", bytesOf(packed).slice(1), { name: "Ed25519" }, false, ["verify"]);
            const good = await crypto.subtle.verify("Ed25519", raw, bytesOf(line.split(" ")[2]).slice(4), new TextEncoder().encode(text));
            return good ? "" : "the signature is not the key's";
          } catch (error) { return "this browser cannot check Ed25519 signatures (" + error.name + ")"; }
        };
        const verify = async () => {
          const said = document.getElementById("verdict"), button = document.getElementById("verify");
          document.body.dataset.busy = "1";
          said.textContent = "Reading the log ...";
          const note = await (await fetch("/v1/ledger/checkpoint")).text();
          const [origin, size, expected] = note.split("\n"), count = Number(size), hashes = [];
          while (hashes.length < count) {
            const text = await (await fetch("/v1/ledger/leaves?from=" + hashes.length)).text();
            const lines = text.split("\n").filter((line) => line).slice(0, count - hashes.length);
            if (!lines.length) break;
            for (const line of lines) hashes.push(await sha256(Uint8Array.of(0), new TextEncoder().encode(line)));
            said.textContent = hashes.length + " of " + count + " leaves ...";
          }
          const found = base64(await root(hashes)), problem = await signed(note, button.dataset.key);
          said.className = found === expected && !problem ? "good" : "bad";
          said.textContent = found !== expected ? "The leaves are NOT those under the checkpoint."
            : problem ? count + " leaves are those under the checkpoint, but " + problem + "."
            : count + " leaves of " + origin + " are as signed.";
          delete document.body.dataset.busy;
        };
        document.getElementById("verify")?.addEventListener("click", verify);
        if (location.hash === "#verify") verify();

        """#
}
