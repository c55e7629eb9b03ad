import Foundation
import HearthFormats
import Support
import Testing

@Suite struct ChatTemplateTests {
    /// Expressions as Jinja gives them.
    @Test(arguments: [
        ("{{ 'a' ~ 1 ~ missing }}", "a1"), ("{{ 7 - 2 - 1 }}", "4"), ("{{ 0 - 7 % 4 }}", "-3"),
        ("{{ (0 - 7) % 4 }}", "1"),
        ("{% if 1 < 2 and 2 >= 2 and not 3 <= 2 %}y{% endif %}", "y"), ("{% if 'b' in 'abc' %}y{% endif %}", "y"),
        ("{% if 'x' not in 'abc' %}y{% endif %}", "y"), ("{{ messages | length }}", "1"),
        ("{{ ' A ' | trim | lower }}", "a"),
        ("{{ messages[messages | length - 1].role | upper }}", "USER"), ("{{ '}}' }}", "}}"), ("{# '{{ #}x", "x"),
        ("{{ 'abc'[1:] }}{{ 'abc'[::-1] }}{{ 'abc'[-1] }}{{ [1, 2, 3][:2] | join('-') }}", "bccbac1-2"),
        ("{{ 'x' if false else 'y' }}{{ 'z' if false }}", "y"), ("{{ 'a,b'.split(',')[1] }}{{ ' a '.strip() }}", "ba"),
        ("{{ 7 // 2 }}{{ 2 * 3 }}{{ -1 }}", "36-1"),
        ("{{ x is none }}{{ none is none }}{{ 'a' is string }}", "FalseTrueTrue"),
        ("{% set n = namespace(k=0) %}{% for i in range(3) %}{% set n.k = n.k + i %}{% endfor %}{{ n.k }}", "3"),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %}", "a1"),
        (
            "{% for i in range(9) if i % 2 %}{% if i > 5 %}{% break %}{% endif %}{{ i }}{% else %}none{% endfor %}",
            "135"
        ),
        ("{% for i in [] %}{% else %}none{% endfor %}", "none"),
        ("{% macro m(a, b='q') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}", "1q12"),
        ("{% set x %}a{% endset %}{{ x }}", "a"),
        ("{{ missing | default('d') }}{{ {'a': [1]} | tojson(indent=1) }}", "d{\n \"a\": [\n  1\n ]\n}"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"),
        ("{{ messages | map(attribute='role') | join(',') }}", "user"),
        ("{{ messages | tojson }}", #"[{"content": "U\"\n", "role": "user"}]"#),
    ])
    func expressionsGiveWhatJinjaGives(source: String, expected: String) throws {
        let text = try ChatTemplate(source).render([.init(role: "user", content: "U\"\n")], addGenerationPrompt: true)
        #expect(text == expected)
    }

    @Test(arguments: [
        "{{ 1 % 0 }}", "{{ 'a' < 1 }}", "{{ missing | tojson }}", "{{ 1 in 2 }}", "{{ 1 | upper }}",
        "{{ raise_exception('no') }}", "{{ missing.a }}", "{{ 'a'.fly() }}",
        "{% for i in range(60000) %}{% for j in range(60000) %}{{ j }}{% endfor %}{% endfor %}", "{{ range(9999999) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ])
    func expressionsWithoutAValueAreRefused(source: String) throws {
        let template = try ChatTemplate(source)
        #expect(throws: ChatTemplateError.self) { try template.render([], addGenerationPrompt: true) }
    }

    /// SmolLM2's template as its file has it.
    static let smollm2 =
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

    @Test func rendersSmolLM2() throws {
        let template = try ChatTemplate(Self.smollm2)
        let text = try template.render([.init(role: "user", content: "Hi")], addGenerationPrompt: true)
        #expect(
            text
                == "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        )
        let withSystem = try template.render(
            [.init(role: "system", content: "S"), .init(role: "user", content: "U")], addGenerationPrompt: false)
        #expect(withSystem == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n")
    }

    @Test(arguments: [
        ("{% if a is defined %}x{% elif true %}y{% else %}z{% endif %}", "y"), ("{{ 'a' + \"b\" | trim }}", "ab"),
        ("{%- set x = 'q' -%}  {{ x }}", "q"),
        ("{% for m in messages %}{{ loop.index }}{{ m.role }}{% endfor %}", "1user"),
        ("a\n  {% if true %}\nb\n{% endif %}\nc", "a\nb\nc"),
        ("{# note #}{% if not false and (1 == 1) %}{{ x or 'd' }}{% endif %}", "d"),
    ])
    func followsJinja(source: String, expected: String) throws {
        let text = try ChatTemplate(source).render([.init(role: "user", content: "U")], addGenerationPrompt: true)
        #expect(text == expected)
    }

    @Test(arguments: [
        ("a\n{% macro x() %}", 2), ("a\n{% call x() %}", 2), ("{{ 'open }}", 1), ("\n\n{% if x %}", 3),
        ("{% for a %}{% endfor %}", 1),
        ("{{ x | wordwrap }}", 1), ("{{ a ^ b }}", 1), ("{{ a is prime }}", 1), ("{{ a[1:2:3:4] }}", 1),
        ("{{ f(1 2) }}", 1),
        ("{{ ", 1), ("{{ }}", 1), ("{{ 99999999999999999999 }}", 1),
    ])
    func unsupportedSyntaxNamesItsLine(source: String, line: Int) {
        do { _ = try ChatTemplate(source) } catch {
            return #expect(error.line == line && "\(error)".contains("line \(line)"))
        }
        Issue.record("accepted \(source)")
    }
}

/// llama.cpp's shipped templates beside what Jinja itself makes of them (Tests/parity/templates.py).
@Suite(.enabled(if: TestPaths.templates != nil, "Tests/parity/templates.py could not be run"))
struct ShippedTemplateTests {
    struct Document: Decodable {
        struct Case: Decodable {
            let name, template: String
            /// Of each conversation, with and without the beginning of an answer; nil where it is refused.
            let rendered: [String?]
        }
        let conversations: [[ChatTemplate.Message]]
        let cases: [Case]
    }

    /// Of the families that Hearth runs.
    private static let families = [
        "Llama-3", "Qwen-", "Qwen3", "QwQ", "SmolLM", "gemma-2", "Hermes", "R1-Distill", "deepseek-r1",
    ]

    /// Those of the families as Jinja; of the others too, unless an error names what is not supported.
    @Test func renderAsJinjaDoes() throws {
        let path = try #require(TestPaths.templates)
        let document = try JSONDecoder().decode(Document.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        var (same, unsupported) = (0, [String]())
        for example in document.cases {
            let isOurs = Self.families.contains { example.name.contains($0) }
            let template: ChatTemplate
            do throws(ChatTemplateError) { template = try ChatTemplate(example.template) } catch {
                #expect(!isOurs && error.line >= 1, "\(example.name): \(error)")
                unsupported.append("\(example.name): \(error)")
                continue
            }
            for (index, expected) in example.rendered.enumerated() {
                let messages = document.conversations[index / 2]
                do throws(ChatTemplateError) {
                    let text = try template.render(
                        messages, addGenerationPrompt: index % 2 == 0, bosToken: "<s>", eosToken: "</s>")
                    #expect(text == expected, "\(example.name), conversation \(index / 2)")
                    same += text == expected ? 1 : 0
                } catch {
                    #expect(expected == nil || !isOurs, "\(example.name), conversation \(index / 2): \(error)")
                    if expected == nil { same += 1 } else { unsupported.append("\(example.name): \(error)") }
                }
            }
        }
        print(
            "conformance: \(same) texts of \(document.cases.count) chat templates as Jinja's, \(unsupported.count) refused as unsupported"
        )
        for line in Set(unsupported).sorted() { print("conformance: \(line)") }
        #expect(document.cases.count >= 70 && same >= 500)
    }
}
