import { JwtSource, X509Source } from 'steeple/workload';

await using x509 = await X509Source.open();
console.log('I am', x509.svid.id.toString());

await using jwt = await JwtSource.open();
const token = await jwt.fetch({ audience: 'reports' });
console.log('my token is for', ...token.audience);

for await (const { svids } of x509.updates()) {
  console.log('serial', svids[0].chain[0]?.serialNumber.toString());
}
