//! An [`Outgoing`] to octets.

use super::{ADVERTISEMENT, AuthField, ChecksumForm, HEADER, Outgoing};
use crate::units::{Family, Version};
use crate::wire::PROTOCOL_VRRP;
use crate::wire::checksum::Checksum;
use std::net::IpAddr;

/// The most that the count field can say. The configuration allows no more.
const MAX_ADDRESSES: usize = u8::MAX as usize;

impl Outgoing<'_> {
    /// Appends the VRRP message (without IP header) to `out`.
    ///
    /// Addresses of the other family, and those beyond 255, are left out.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let count = u8::try_from(self.listed().count()).expect("no more than 255 are listed");
        let [fourth, fifth] = self.interval_field();
        let version_type = self.version.number() << 4 | ADVERTISEMENT;
        let auth: &[u8] = match self.version {
            Version::V2 => &self.auth_data(),
            Version::V3 => &[],
        };
        let header = [version_type, self.vrid.get(), self.standing.field(), count, fourth, fifth];
        let length = HEADER + usize::from(count) * Family::of(self.source).address_octets() + auth.len();
        let checksum = self
            .listed()
            .fold(self.checksum_start(length).with(&header), |sum, address| match address {
                IpAddr::V4(address) => sum.with(&address.octets()),
                IpAddr::V6(address) => sum.with(&address.octets()),
            })
            .with(auth);

        out.reserve(length);
        out.extend_from_slice(&header);
        out.extend_from_slice(&checksum.field().to_be_bytes());
        for address in self.listed() {
            match address {
                IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
                IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
            }
        }
        out.extend_from_slice(auth);
    }

    fn listed(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let family = Family::of(self.source);
        self.addresses.iter().copied().filter(move |address| Family::of(*address) == family).take(MAX_ADDRESSES)
    }

    /// Octets 4 and 5. An interval that VRRPv2 cannot carry is refused by the configuration; here it is rounded down,
    /// to a second at least.
    fn interval_field(&self) -> [u8; 2] {
        match self.version {
            Version::V2 => {
                let seconds = u8::try_from(self.interval.centis() / 100).unwrap_or(u8::MAX);
                [self.auth.kind, seconds.max(1)]
            }
            Version::V3 => self.interval.centis().to_be_bytes(),
        }
    }

    /// Only a password travels in the authentication data.
    fn auth_data(&self) -> [u8; 8] {
        if self.auth.kind == AuthField::password([0; 8]).kind { self.auth.data } else { [0; 8] }
    }

    fn checksum_start(&self, length: usize) -> Checksum {
        let pseudo = match (self.version, Family::of(self.source)) {
            (Version::V3, Family::Ipv6) => true,
            (Version::V3, Family::Ipv4) => self.checksum == ChecksumForm::Rfc5798,
            (Version::V2, _) => false,
        };
        pseudo
            .then(|| Checksum::pseudo(self.source, self.destination, PROTOCOL_VRRP, length))
            .flatten()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Advert, Standing};
    use super::*;
    use crate::units::{Interval, Priority, Vrid};
    use crate::wire::Packet;
    use proptest::prelude::*;

    /// Everything that an advertisement can carry.
    fn any_outgoing() -> impl Strategy<Value = (Outgoing<'static>, Vec<IpAddr>)> {
        let address = |v6: bool, raw: u128| {
            if v6 {
                IpAddr::from(raw.to_be_bytes())
            } else {
                IpAddr::from(u32::try_from(raw >> 96).unwrap().to_be_bytes())
            }
        };
        let shape = prop_oneof![Just((Version::V2, false)), Just((Version::V3, false)), Just((Version::V3, true))];
        let fields = (1..=255_u8, any::<u8>(), 1..=4095_u16, 1..=255_u8, any::<bool>(), 0..=2_u8, any::<[u8; 8]>());
        let addresses = prop::collection::vec(any::<u128>(), 0..=255);
        (shape, fields, any::<[u128; 2]>(), addresses).prop_map(
            move |((version, v6), (vrid, priority, centis, seconds, plain, kind, data), ends, addresses)| {
                let outgoing = Outgoing {
                    version,
                    vrid: Vrid::new(vrid).unwrap(),
                    standing: Standing::from_field(priority),
                    interval: match version {
                        Version::V2 => Interval::from_seconds(seconds).unwrap(),
                        Version::V3 => Interval::from_centis(centis).unwrap(),
                    },
                    checksum: if plain { ChecksumForm::Rfc9568 } else { ChecksumForm::Rfc5798 },
                    auth: AuthField { kind, data: if kind == 1 { data } else { [0; 8] } },
                    source: address(v6, ends[0]),
                    destination: address(v6, ends[1]),
                    addresses: &[],
                };
                (outgoing, addresses.into_iter().map(|raw| address(v6, raw)).collect())
            },
        )
    }

    /// Encodes behind octets that were there before, and gives the message alone.
    fn encode(outgoing: &Outgoing<'_>) -> Vec<u8> {
        let mut out = vec![0xa5; 5];
        outgoing.encode(&mut out);
        assert_eq!(out[..5], [0xa5; 5]);
        out.split_off(5)
    }

    proptest! {
        #[test]
        fn decode_of_encode_is_identity((outgoing, addresses) in any_outgoing()) {
            let outgoing = Outgoing { addresses: &addresses, ..outgoing };
            let message = encode(&outgoing);
            let packet = Packet {
                source: outgoing.source,
                destination: outgoing.destination,
                ttl: 255,
                header: &[],
                protocol: PROTOCOL_VRRP,
                payload: &message,
            };
            let advert = Advert::decode(&packet).unwrap();
            prop_assert_eq!(advert.version, outgoing.version);
            prop_assert_eq!(advert.vrid, outgoing.vrid);
            prop_assert_eq!(advert.standing, outgoing.standing);
            prop_assert_eq!(advert.interval(), Some(outgoing.interval));
            prop_assert_eq!(advert.auth, (outgoing.version == Version::V2).then_some(outgoing.auth));
            prop_assert_eq!(advert.trailer, None);
            prop_assert!(advert.addresses().eq(addresses.iter().copied()));
            if outgoing.version == Version::V3 && outgoing.source.is_ipv4() {
                // The two forms agree where the pseudo-header sums to nothing; the plain one is seen then.
                prop_assert!(advert.checksum == outgoing.checksum || advert.checksum == ChecksumForm::Rfc9568);
            } else {
                prop_assert_eq!(advert.checksum, ChecksumForm::Rfc9568);
            }
        }

        #[test]
        fn anything_decodes_or_is_refused(
            payload in prop::collection::vec(any::<u8>(), 0..200),
            head in prop::option::of(prop_oneof![Just(0x21_u8), Just(0x31)]),
            protocol in prop_oneof![Just(112_u8), Just(51)],
            v6 in any::<bool>(),
        ) {
            let mut payload = payload;
            if let (Some(head), Some(first)) = (head, payload.first_mut()) {
                *first = head;
            }
            let end = if v6 { IpAddr::from([0xfe; 16]) } else { IpAddr::from([192, 0, 2, 2]) };
            let packet = Packet { source: end, destination: end, ttl: 255, header: &[], protocol, payload: &payload };
            if let Ok(advert) = Advert::decode(&packet) {
                prop_assert_eq!(advert.addresses().count(), advert.count());
            }
        }
    }

    #[test]
    fn what_the_count_field_cannot_say_is_left_out() {
        let addresses = vec![IpAddr::from([192, 0, 2, 100]); 300];
        let outgoing = Outgoing {
            version: Version::V3,
            vrid: Vrid::new(1).unwrap(),
            standing: Standing::Holding(Priority::OWNER),
            interval: Interval::DEFAULT,
            checksum: ChecksumForm::Rfc9568,
            auth: AuthField::NONE,
            source: IpAddr::from([192, 0, 2, 1]),
            destination: IpAddr::from([224, 0, 0, 18]),
            addresses: &addresses,
        };
        assert_eq!(encode(&outgoing).len(), 8 + 255 * 4);
        let other_family = [IpAddr::from([0; 16])];
        assert_eq!(encode(&Outgoing { addresses: &other_family, ..outgoing }).len(), 8);
    }
}
