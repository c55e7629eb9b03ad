import CShaders
import HearthCompute

/// The compiled shaders by name; `Shaders/variants.json` is their list.
package enum ShaderCatalog {
    private static let shaders: [String: Shader] = {
        let entries = cshaders_entries()!
        var all: [String: Shader] = [:]
        for index in 0..<Int(cshaders_count) {
            let entry = entries[index]
            let name = String(cString: entry.name)
            let spirv = UnsafeRawBufferPointer(start: entry.spirv, count: Int(entry.byte_count))
            all[name] = Shader(
                name: name, bindingCount: Int(entry.binding_count), pushByteCount: Int(entry.push_byte_count),
                spirv: spirv)
        }
        return all
    }()

    package static var names: [String] { shaders.keys.sorted() }

    /// - Precondition: the name is in variants.json; a launcher that asks for another is a programmer's mistake.
    static func shader(_ name: String) -> Shader {
        guard let shader = shaders[name] else { preconditionFailure("no shader \(name) in Shaders/variants.json") }
        return shader
    }

    /// The variant whose workgroup is one subgroup of 8, on devices (software drivers, some integrated GPUs) that have
    /// no wider ones: its reductions then need no barrier. The wide one elsewhere.
    static func shader(_ name: String, for device: Device) -> Shader {
        shader(device.description.subgroupSize <= 8 ? name + "_narrow" : name)
    }
}
