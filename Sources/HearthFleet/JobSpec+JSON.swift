import Foundation
import HearthJSON

extension JobSpec {
    /// Reads a spec as JSON.
    ///
    /// - Throws: `DecodingError` for what is no spec; `ConfigError` for a field that nobody here knows: it could name data, or forbid
    ///   something.
    public static func parse(json data: Data) throws -> JobSpec {
        let spec = try JSONDecoder().decode(JobSpec.self, from: data)
        let (given, known) = (try JSONValue(data), try JSONValue(try JSONEncoder().encode(spec)))
        if let field = unknownField(given, known) { throw ConfigError("\(field): unknown field") }
        return spec
    }

    /// The path of the first member of `given` that is neither in `known` nor null.
    private static func unknownField(_ given: JSONValue, _ known: JSONValue) -> String? {
        for member in given.members ?? [] where member.value != .null {
            guard let value = known[member.key] else { return String(member.key.prefix(80)) }
            if let deeper = unknownField(member.value, value) { return "\(member.key).\(deeper)" }
        }
        return nil
    }
}
