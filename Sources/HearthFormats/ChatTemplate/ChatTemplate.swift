/// A model's chat template: turns messages into the text the model was trained on.
///
/// - Source: Jinja as Hugging Face's transformers runs it: block tags take their line break and indentation, the functions are
///   `raise_exception` and `strftime_now`.
public struct ChatTemplate: Sendable {
    public struct Message: Sendable, Hashable, Codable {
        public let role: String
        public let content: String
        public init(role: String, content: String) {
            self.role = role
            self.content = content
        }
    }

    private let nodes: [JinjaNode]

    /// - Throws: what is not supported, with its line.
    public init(_ template: String) throws(ChatTemplateError) { nodes = try JinjaParser.parse(template) }

    /// - Throws: what the template says of these messages (`raise_exception`), or what went wrong, with its line.
    public func render(
        _ messages: [Message], addGenerationPrompt: Bool, bosToken: String = "", eosToken: String = ""
    ) throws(ChatTemplateError) -> String {
        var scope: JinjaInterpreter.Scope = [
            "messages": .list(messages.map { .map(["role": .string($0.role), "content": .string($0.content)]) }),
            "add_generation_prompt": .bool(addGenerationPrompt), "bos_token": .string(bosToken),
            "eos_token": .string(eosToken),
            // Functions that templates ask for before they call them.
            "strftime_now": .bool(true), "raise_exception": .bool(true),
        ]
        var interpreter = JinjaInterpreter()
        try interpreter.run(nodes, &scope)
        return interpreter.out
    }
}
