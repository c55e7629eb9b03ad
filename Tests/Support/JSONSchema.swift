import Foundation

/// The part of JSON Schema that the OpenAPI document uses: type, required, properties, items, enum, $ref, bounds.
public struct JSONSchema {
    private let document: [String: Any]

    public init(document: [String: Any]) { self.document = document }

    /// What is wrong with `value`, each with its path; empty when nothing is. Properties that no schema names are wrong.
    public func problems(_ value: Any, _ schema: [String: Any], at path: String = "$") -> [String] {
        if let reference = schema["$ref"] as? String { return problems(value, resolve(reference), at: path) }
        if let allowed = schema["enum"] as? [String], !allowed.contains(value as? String ?? "") {
            return ["\(path): \(value) is not in \(allowed)"]
        }
        switch schema["type"] as? String {
        case "object":
            guard let object = value as? [String: Any] else { return ["\(path): not an object"] }
            let properties = schema["properties"] as? [String: Any] ?? [:]
            var found = (schema["required"] as? [String] ?? []).filter { object[$0] == nil }.map {
                "\(path).\($0): missing"
            }
            for (key, child) in object {
                if let property = properties[key] as? [String: Any] {
                    found += problems(child, property, at: "\(path).\(key)")
                } else if let other = schema["additionalProperties"] as? [String: Any] {
                    found += problems(child, other, at: "\(path).\(key)")
                } else {
                    found.append("\(path).\(key): not described")
                }
            }
            return found
        case "array":
            guard let array = value as? [Any] else { return ["\(path): not an array"] }
            let items = schema["items"] as? [String: Any] ?? [:]
            return array.enumerated().flatMap { problems($1, items, at: "\(path)[\($0)]") }
        case "string": return value is String ? [] : ["\(path): not a string"]
        case "boolean": return value is Bool ? [] : ["\(path): not a boolean"]
        case "integer":
            return (value as? NSNumber).map { $0.doubleValue == $0.doubleValue.rounded() } == true
                ? [] : ["\(path): not an integer"]
        case "number": return value is NSNumber ? [] : ["\(path): not a number"]
        default: return ["\(path): the schema has no type"]
        }
    }

    public func resolve(_ reference: String) -> [String: Any] {
        var node: Any = document
        for part in reference.dropFirst(2).split(separator: "/") {
            node = (node as? [String: Any])?[String(part)] ?? [:]
        }
        return node as? [String: Any] ?? [:]
    }
}
