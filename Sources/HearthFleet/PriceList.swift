import HearthPolicy

/// What running something costs, site by site: `/etc/hearth/prices.yaml`.
public struct PriceList: Sendable, Hashable, Codable {
    /// A label for people; nothing is converted.
    public var currency: String
    public var sites: [String: SitePrice]

    public init(currency: String = "EUR", sites: [String: SitePrice] = [:]) {
        (self.currency, self.sites) = (currency, sites)
    }

    /// The list at `path`; an empty one where that is nil.
    ///
    /// - Throws: `ConfigError` naming file, line and field.
    public static func read(_ path: String?) throws(ConfigError) -> PriceList {
        guard let path else { return PriceList() }
        return try parse(yaml: try ConfigError.text(path), file: path)
    }

    /// - Throws: `ConfigError` with file, line and field.
    public static func parse(yaml text: String, file: String) throws(ConfigError) -> PriceList {
        var fields = try YAMLFields(text, file: file)
        var list = PriceList(currency: try fields.string("currency"))
        if list.currency.isEmpty || list.currency.count > 8 { throw fields.error("currency", "1 to 8 characters") }
        for (name, site) in try fields.mappings("sites") {
            guard FleetName.isValid(name) else { throw fields.error("sites", "'\(name.prefix(40))' is no site's name") }
            list.sites[name] = try SitePrice(site)
        }
        try fields.finish()
        return list
    }
}

/// Prices of one site, in the list's currency.
public struct SitePrice: Sendable, Hashable, Codable {
    /// Of a node: its amortisation, or the rent.
    public var perHour: Double
    /// What a node draws under load where it does not measure that itself, and what a kilowatt-hour costs.
    public var watts: Double
    public var perKilowattHour: Double
    /// Watts at the meter for each that a node measures: power supplies, fans, cooling.
    public var wattsPerMeasured: Double
    /// Of data moved there for a job, and its results back.
    public var perGibibyte: Double

    public init(
        perHour: Double, watts: Double = 0, perKilowattHour: Double = 0, wattsPerMeasured: Double = 1,
        perGibibyte: Double = 0
    ) {
        (self.perHour, self.watts, self.perKilowattHour) = (perHour, watts, perKilowattHour)
        (self.wattsPerMeasured, self.perGibibyte) = (wattsPerMeasured, perGibibyte)
    }

    init(_ given: YAMLFields) throws(ConfigError) {
        var fields = given
        func price(_ field: String, default fallback: Double?) throws(ConfigError) -> Double {
            let value = try fields.double(field, default: fallback)
            if !(value >= 0 && value <= 1e9) { throw fields.error(field, "0 to 1e9") }
            return value
        }
        perHour = try price("perHour", default: nil)
        (watts, perKilowattHour) = (try price("watts", default: 0), try price("perKilowattHour", default: 0))
        wattsPerMeasured = try price("wattsPerMeasured", default: 1)
        if !(1...10).contains(wattsPerMeasured) { throw fields.error("wattsPerMeasured", "1 to 10") }
        perGibibyte = try price("perGibibyte", default: 0)
        try fields.finish()
    }

    /// Amortisation or rent, energy, and moving `byteCount` of data.
    ///
    /// - Parameter measured: what the node draws by its own counters; nil: it has none.
    public func cost(seconds: Double, measuredWatts measured: Double? = nil, movedByteCount byteCount: Double) -> Double
    {
        let watts = measured.map { $0 * wattsPerMeasured } ?? watts
        return seconds / 3600 * (perHour + watts / 1000 * perKilowattHour) + byteCount / Double(1 << 30) * perGibibyte
    }
}
