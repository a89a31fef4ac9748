import io.spiffe.workloadapi.DefaultJwtSource;
import io.spiffe.workloadapi.DefaultWorkloadApiClient;
import io.spiffe.workloadapi.DefaultX509Source;
import io.spiffe.workloadapi.Watcher;
import io.spiffe.workloadapi.X509Context;

public class Workload {
  public static void main(String[] args) throws Exception {
    try (var x509 = DefaultX509Source.newSource();
        var jwt = DefaultJwtSource.newSource();
        var api = DefaultWorkloadApiClient.newClient()) {
      System.out.println("I am " + x509.getX509Svid().getSpiffeId());

      var token = jwt.fetchJwtSvid("reports");
      System.out.println("my token is for " + String.join(" ", token.getAudience()));

      api.watchX509Context(new Watcher<X509Context>() {
        public void onUpdate(X509Context update) {
          System.out.println("serial " + update.getDefaultSvid().getChain().get(0).getSerialNumber());
        }

        public void onError(Throwable error) {
          System.err.println(error);
        }
      });
      Thread.currentThread().join();
    }
  }
}
