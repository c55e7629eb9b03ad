import HearthPolicy

/// Job specs as JSON Schema (2020-12), for editors and for those who write specs by program. What is read, and what is wrong with a value, says
/// `JobSpec.parse`; a test holds the two together.
public enum JobSpecSchema {
    /// A shape of specs: a kind, and of `generate` two.
    package struct Shape: Sendable {
        package let kind: JobSpec.Kind
        package let title: String
        package let required: [String]
        /// By their names; JSON.
        package let properties: [(name: String, schema: String)]
    }

    private static func text(_ description: String) -> String {
        #"{"type": "string", "description": "\#(description)"}"#
    }

    private static func number(_ description: String, _ bounds: String) -> String {
        #"{"type": "number", \#(bounds), "description": "\#(description)"}"#
    }

    private static func integer(_ description: String, _ bounds: String) -> String {
        #"{"type": "integer", \#(bounds), "description": "\#(description)"}"#
    }

    private static func list(_ description: String) -> String {
        #"{"type": "array", "items": {"type": "string"}, "maxItems": 100, "description": "\#(description)"}"#
    }

    private static func names(_ values: [String]) -> String {
        #"{"type": "string", "enum": [\#(values.map { "\"\($0)\"" }.joined(separator: ", "))]}"#
    }

    private static func common(_ kind: JobSpec.Kind) -> [(name: String, schema: String)] {
        [
            ("kind", names([kind.rawValue])), ("name", text("for people; the kind where it is left out")),
            ("device", text("auto, cpu, vulkan or vulkan:INDEX")),
            ("timeoutSeconds", number("it is ended then", #""minimum": 1, "maximum": 2592000"#)),
            (
                "deadlineSeconds",
                number("it should have ended then, counted from its submission", #""minimum": 1, "maximum": 2592000"#)
            ),
            ("data", list("names of the datasets it reads; needs purpose")),
            ("purpose", names(Purpose.allCases.map(\.rawValue))),
            ("memoryGibibytes", number("of the host, at most", #""minimum": 0.0625, "maximum": 1048576"#)),
            ("cpus", number("of the host, at most", #""minimum": 0.1, "maximum": 65536"#)),
            ("onPartition", names(JobSpec.OnPartition.allCases.map(\.rawValue))),
        ]
    }

    private static let model = text("a model's file or folder; relative paths are taken from the spec's folder")
    private static let context = integer("tokens of prompt and answer at most", #""minimum": 1, "maximum": 16777216"#)
    private static let seed = integer("of sampling", #""minimum": 0, "maximum": 9007199254740991"#)

    package static let shapes: [Shape] = [
        Shape(
            kind: .generate, title: "One prompt", required: ["kind", "model", "prompt"],
            properties: common(.generate) + [
                ("model", model), ("prompt", text("what is continued")), ("seed", seed),
                ("chat", #"{"type": "boolean", "description": "apply the model's chat template"}"#),
                ("maxTokens", integer("of the answer", #""minimum": 1, "maximum": 1048576"#)),
                ("temperature", number("0 takes the likeliest", #""minimum": 0, "maximum": 100"#)),
                ("topK", integer("0 takes all", #""minimum": 0"#)),
                ("topP", number("of the likeliest", #""exclusiveMinimum": 0, "maximum": 1"#)),
                ("minP", number("of the likeliest one's", #""minimum": 0, "maximum": 1"#)),
            ]),
        Shape(
            kind: .generate, title: "A file of requests", required: ["kind", "model", "input", "output"],
            properties: common(.generate) + [
                ("model", model), ("input", text("JSON Lines of requests")), ("output", text("their answers")),
                ("seed", seed), ("context", context),
            ]),
        Shape(
            kind: .serve, title: "A server", required: ["kind", "model"],
            properties: common(.serve) + [
                ("model", model), ("context", context), ("listen", text("HOST:PORT")),
                ("modelName", text("as clients ask for it")), ("apiKeys", text("a file of names and digests")),
                ("tlsCertificate", text("PEM")), ("tlsKey", text("PEM")),
            ]),
        Shape(
            kind: .bench, title: "Kernels", required: ["kind"],
            properties: common(.bench) + [
                ("workloads", list("as of hearth bench")),
                ("cases", list("WORKLOAD SHAPE [TYPE] [xCOUNT]; then no workloads")),
            ]),
        Shape(kind: .probe, title: "Ceilings", required: ["kind"], properties: common(.probe)),
    ]

    /// The whole schema.
    public static var json: String {
        let alternatives = shapes.map { shape in
            let properties = shape.properties.map { "\"\($0.name)\": \($0.schema)" }.joined(separator: ",\n      ")
            let required = shape.required.map { "\"\($0)\"" }.joined(separator: ", ")
            return """
                  {"title": "\(shape.title)", "type": "object", "additionalProperties": false, "required": [\(required)], "properties": {
                      \(properties)
                  }}
                """
        }
        return """
            {
              "$schema": "https://json-schema.org/draft/2020-12/schema",
              "title": "Hearth job spec",
              "oneOf": [
            \(alternatives.joined(separator: ",\n"))
              ]
            }

            """
    }
}
