import Foundation

/// One test vector: a node, its inputs and the outputs it must have.
struct ONNXCase {
    let name: String
    let operation: String
    /// By place in the node's list; nil where the node leaves one out.
    let inputs: [ONNXTensor?]
    let outputs: [ONNXTensor?]
    private var integers: [String: Int] = [:]
    private var reals: [String: Float] = [:]
    private var strings: [String: String] = [:]

    func integer(_ name: String, default value: Int) -> Int { integers[name] ?? value }
    func real(_ name: String) -> Float? { reals[name] }
    func string(_ name: String) -> String? { strings[name] }
    func input(_ index: Int) -> ONNXTensor? { index < inputs.count ? inputs[index] : nil }

    init(folder: URL) throws {
        name = folder.lastPathComponent
        let model = try Protobuf.fields(of: Data(contentsOf: folder.appending(path: "model.onnx")))
        guard let graph = model.first(where: { $0.number == 7 }) else { throw Protobuf.Malformed() }
        let fields = try Protobuf.fields(of: graph.bytes)
        guard let node = fields.first(where: { $0.number == 1 }) else { throw Protobuf.Malformed() }
        let parts = try Protobuf.fields(of: node.bytes)
        operation = parts.first { $0.number == 4 }?.text ?? ""
        func tensors(_ kind: String, graphField: Int, nodeField: Int) throws -> [ONNXTensor?] {
            let names = try fields.filter { $0.number == graphField }.map { field in
                try Protobuf.fields(of: field.bytes).first { $0.number == 1 }?.text ?? ""
            }
            var known: [String: ONNXTensor] = [:]
            for (index, name) in names.enumerated() {
                let file = folder.appending(path: "test_data_set_0/\(kind)_\(index).pb")
                known[name] = try ONNXTensor(Data(contentsOf: file))
            }
            return parts.filter { $0.number == nodeField }.map { known[$0.text] }
        }
        inputs = try tensors("input", graphField: 11, nodeField: 1)
        outputs = try tensors("output", graphField: 12, nodeField: 2)
        for attribute in parts where attribute.number == 5 {
            let values = try Protobuf.fields(of: attribute.bytes)
            let name = values.first { $0.number == 1 }?.text ?? ""
            for value in values {
                switch value.number {
                case 2: reals[name] = value.float
                case 3: integers[name] = try value.integer()
                case 4: strings[name] = value.text
                default: break
                }
            }
        }
    }
}
