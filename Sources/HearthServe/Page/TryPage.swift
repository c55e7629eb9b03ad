import Hummingbird

/// A page at `/` to try the model in a browser. It asks this server only, as any client does, and keeps nothing.
struct TryPage: Sendable {
    let model: ServedModel

    func add(to router: Router<ServeContext>) {
        let page = Self.html.replacing("MODEL_NAME", with: Self.escaped(model.name))
        router.get("/") { _, _ in
            Response(
                status: .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8", .cacheControl: "no-cache",
                    .contentSecurityPolicy:
                        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                    .xContentTypeOptions: "nosniff",
                ], body: .init(byteBuffer: .init(string: page)))
        }
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { out, character in
            switch character {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            default: out.append(character)
            }
        }
    }

    private static let html = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>MODEL_NAME - Hearth</title>
        <style>
        :root { color-scheme: light dark; --line: #8886; --own: #4a7fd022; }
        body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 46rem; padding: 1rem; }
        h1 { font-size: 1.1rem; }
        #talk { display: flex; flex-direction: column; gap: .8rem; padding: 0; list-style: none; }
        #talk li { white-space: pre-wrap; overflow-wrap: anywhere; }
        #talk .user { align-self: flex-end; background: var(--own); border-radius: .6rem; padding: .3rem .7rem; }
        #talk .error { color: #c33; }
        #talk small { display: block; opacity: .65; }
        form, details { border-top: 1px solid var(--line); padding-top: .8rem; margin-top: .8rem; }
        textarea { box-sizing: border-box; font: inherit; width: 100%; }
        label { display: inline-block; margin: .2rem 1rem .2rem 0; }
        button { font: inherit; padding: .2rem 1rem; }
        </style>
        </head>
        <body>
        <h1>MODEL_NAME</h1>
        <ol id="talk" aria-live="polite" aria-label="Conversation"></ol>
        <form id="ask">
        <label for="text">Message</label>
        <textarea id="text" rows="3" required autofocus></textarea>
        <button id="send">Send</button> <button id="stop" type="button" disabled>Stop</button> <button id="clear" type="button">Forget</button>
        </form>
        <details><summary>Settings</summary>
        <label>Instruction <input id="system" size="40"></label>
        <label>Temperature <input id="temperature" type="number" min="0" max="2" step="0.1" value="0.7"></label>
        <label>Tokens at most <input id="tokens" type="number" min="1" value="512"></label>
        <label>API key <input id="key" type="password" autocomplete="off"></label>
        </details>
        <script>
        const $ = id => document.getElementById(id)
        let messages = [], stopping = null
        function line(role, text) {
          const item = document.createElement('li')
          item.className = role
          item.textContent = text
          $('talk').append(item)
          item.scrollIntoView({ block: 'nearest' })
          return item
        }
        async function ask(text) {
          const talk = messages
          talk.push({ role: 'user', content: text })
          line('user', text)
          const item = line('assistant', '')
          $('send').disabled = true
          $('stop').disabled = false
          stopping = new AbortController()
          let answer = '', usage = null, first = 0
          const started = performance.now()
          try {
            const system = $('system').value ? [{ role: 'system', content: $('system').value }] : []
            const headers = { 'Content-Type': 'application/json' }
            if ($('key').value) headers.Authorization = 'Bearer ' + $('key').value
            const response = await fetch('/v1/chat/completions', {
              method: 'POST', headers, signal: stopping.signal,
              body: JSON.stringify({
                messages: [...system, ...talk], stream: true, stream_options: { include_usage: true },
                temperature: Number($('temperature').value), max_tokens: Number($('tokens').value) }) })
            if (!response.ok) throw new Error((await response.json()).error.message)
            const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
            let rest = ''
            for (;;) {
              const { value, done } = await reader.read()
              if (done) break
              const lines = (rest + value).split('\n')
              rest = lines.pop()
              for (const data of lines.filter(l => l.startsWith('data: {')).map(l => JSON.parse(l.slice(6)))) {
                if (data.error) throw new Error(data.error.message)
                usage = data.usage ?? usage
                const more = data.choices[0]?.delta?.content
                if (more) {
                  first ||= performance.now()
                  answer += more
                  item.textContent = answer
                }
              }
            }
          } catch (error) {
            if (error.name !== 'AbortError') line('error', error.message)
          }
          if (usage) {
            const note = document.createElement('small'), seconds = (performance.now() - first) / 1000
            note.textContent = `${usage.completion_tokens} tokens, ${(first - started).toFixed(0)} ms to the first, ` +
              `${(usage.completion_tokens / Math.max(seconds, .001)).toFixed(1)} tokens/s`
            item.append(note)
          }
          if (answer) talk.push({ role: 'assistant', content: answer }); else talk.pop()
          $('send').disabled = false
          $('stop').disabled = true
          $('text').focus()
        }
        $('ask').addEventListener('submit', event => {
          event.preventDefault()
          const text = $('text').value.trim()
          if (!text || $('send').disabled) return
          $('text').value = ''
          ask(text)
        })
        $('text').addEventListener('keydown', event => {
          if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); $('ask').requestSubmit() }
        })
        $('stop').addEventListener('click', () => stopping?.abort())
        $('clear').addEventListener('click', () => { stopping?.abort(); messages = []; $('talk').replaceChildren(); $('text').focus() })
        </script>
        </body>
        </html>
        """#
}
